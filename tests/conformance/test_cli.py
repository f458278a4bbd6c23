"""The program's own commands from outside: configure, completion, check-config, env, status, doctor, and what `up` refuses."""

import configparser
import os
import socket
import subprocess
import uuid
from pathlib import Path

import boto3
import pytest
from conftest import Region, free_port, program


def longshore(*arguments, environment=None, **more):
    return subprocess.run([program(), *map(str, arguments)], capture_output=True, text=True, timeout=60,
                          env={**os.environ, **(environment or {})}, **more)


def works(*arguments, **more):
    done = longshore(*arguments, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def fails(*arguments, code=1, **more):
    """What a command that must fail says."""
    done = longshore(*arguments, **more)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert "panicked" not in done.stderr and "RUST_BACKTRACE" not in done.stderr
    return done.stderr


def read(path):
    parser = configparser.RawConfigParser()
    parser.read(path)
    return parser


def test_configure_writes_a_profile_that_boto3_uses(region, tmp_path, monkeypatch):
    home = {"HOME": str(tmp_path), "AWS_CONFIG_FILE": str(tmp_path / ".aws/config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / ".aws/credentials")}
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text("[default]\nregion = eu-west-1\n\n[profile other]\nregion = eu-west-2\n")
    for _ in range(2):
        said = works("configure", "--data-dir", region.data_dir, "--profile", "mine", environment=home)
        assert "wrote profile mine" in said and "aws --profile mine" in said
    config, credentials = read(tmp_path / ".aws/config"), read(tmp_path / ".aws/credentials")
    assert config.sections() == ["default", "profile other", "profile mine"] and credentials.sections() == ["mine"]
    assert config["default"]["region"] == "eu-west-1"
    assert (tmp_path / ".aws/credentials").stat().st_mode & 0o777 == 0o600
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in home.items():
        monkeypatch.setenv(name, value)
    client = boto3.Session(profile_name="mine").client("sts")
    assert client.meta.region_name == "us-east-1" and client.get_caller_identity()["Account"] == "123456789012"
    works("configure", "--data-dir", region.data_dir, "--profile", "default", environment=home)
    assert read(tmp_path / ".aws/config")["default"]["endpoint_url"] == region.endpoint


@pytest.mark.parametrize("command", ["env", "status", "configure"])
def test_commands_without_a_region(command, tmp_path):
    said = fails(command, "--data-dir", tmp_path / "none")
    assert "there is no region in" in said and "longshore up" in said and "--data-dir" in said


def test_env_is_good_for_a_shell(region):
    script = f'eval "$({program()} env --data-dir {region.data_dir})"; echo "$AWS_ENDPOINT_URL $AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY"'
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert said == [region.endpoint, *region.key]


def test_status_of_a_region_that_runs_and_of_one_that_does_not(tmp_path):
    region = Region("--no-host")
    try:
        name = f"shown-{uuid.uuid4().hex[:8]}"
        region.client("ecs").create_cluster(clusterName=name)
        region.client("ecr").create_repository(repositoryName=name)
        said = works("status", "--data-dir", region.data_dir)
        assert f"{name}: 0 running, 0 pending" in said and region.endpoint in said and f"/{name}" in said
        region.stop()
        said = fails("status", "--data-dir", region.data_dir)
        assert region.endpoint in said and "refused" in said.lower(), said
        region.start()
    finally:
        region.close()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "elvish", "powershell"])
def test_completion(shell):
    script = works("completion", shell)
    assert "longshore" in script and "check-config" in script
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)
        asked = f'{script}\nCOMP_WORDS=(longshore che); COMP_CWORD=1; _longshore longshore che longshore; echo "${{COMPREPLY[@]}}"'
        assert subprocess.run(["bash"], input=asked, capture_output=True, text=True).stdout.strip() == "check-config"


def test_completion_of_an_unknown_shell():
    assert "possible values: bash" in fails("completion", "tcsh", code=2)


def test_a_reader_that_has_gone_ends_the_command_quietly():
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run([program(), "check-config"], stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_check_config_shows_where_each_setting_comes_from(tmp_path):
    file = tmp_path / "longshore.toml"
    file.write_text('region = "eu-west-1"\naccount = "111122223333"\nlisten = "127.0.0.1:1"\nno-host = true\n'
                    'overcommit-memory = 1\n')
    said = works("check-config", "--config", file, "--listen", "127.0.0.1:3",
                 environment={"LONGSHORE_REGION": "eu-north-1", "LONGSHORE_LISTEN": "127.0.0.1:2"})
    for line in ['listen = "127.0.0.1:3"', 'region = "eu-north-1"', 'account = "111122223333"', "no-host = true",
                 "overcommit-cpu = 64.0", "overcommit-memory = 1.0"]:
        assert line in said.splitlines(), said


@pytest.mark.parametrize("text,named", [
    ('lisen = "x"\n', "lisen"), ('listen = "nowhere"\n', "listen"), ('account = "12"\n', "account"), ("region = 1\n", "region"),
    ("= broken", "line 1"),
])
def test_check_config_says_what_is_wrong(tmp_path, text, named):
    file = tmp_path / "longshore.toml"
    file.write_text(text)
    said = fails("check-config", "--config", file)
    assert str(file) in said and named in said


def test_check_config_of_a_file_that_is_not_there(tmp_path):
    said = fails("check-config", "--config", tmp_path / "none.toml")
    assert "none.toml" in said and "No such file" in said


@pytest.mark.parametrize("flag,value,named", [
    ("--listen", "nowhere", "--listen"), ("--listen", "127.0.0.1", "--listen"), ("--listen", "127.0.0.1:99999", "--listen"),
    ("--account", "12", "--account"), ("--account", "12345678901x", "--account"), ("--region", "Not a region", "--region"),
])
def test_up_refuses_bad_flags(flag, value, named, tmp_path):
    said = fails("up", "--data-dir", tmp_path / "data", flag, value, code=2)
    assert named in said and value in said
    assert not (tmp_path / "data").exists(), "nothing was begun"


@pytest.mark.parametrize("subnet", ["10.0.0.0", "10.0.0.0/30", "300.0.0.0/16"])
def test_up_refuses_bad_subnets(subnet, tmp_path):
    said = fails("up", "--listen", "127.0.0.1:0", "--data-dir", tmp_path / "data", "--task-subnet", subnet)
    assert "--task-subnet" in said


def test_up_on_a_port_that_is_taken(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        said = fails("up", "--listen", address, "--data-dir", tmp_path / "data")
        assert address in said and "--listen" in said and "in use" in said
        said = longshore("doctor", "--listen", address)
        assert said.returncode == 1 and "FAIL  port" in said.stdout and "choose another with --listen" in said.stdout


def test_up_twice_in_one_directory(region):
    said = fails("up", "--listen", f"127.0.0.1:{free_port()}", "--data-dir", region.data_dir)
    assert "a region already runs in" in said and region.data_dir in said
    assert f"export AWS_ENDPOINT_URL={region.endpoint}\n" in works("env", "--data-dir", region.data_dir), "the first is not disturbed"


def test_up_with_a_data_directory_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    said = fails("up", "--listen", "127.0.0.1:0", "--data-dir", tmp_path / "file/data")
    assert "create the data directory" in said and "Not a directory" in said
    said = fails("up", "--listen", "127.0.0.1:0", "--data-dir", tmp_path / ("long" * 20))
    assert "too long" in said and "--data-dir" in said


def test_without_root(tmp_path):
    nobody = dict(user=65534, group=65534, extra_groups=[])
    free = free_port()
    directory = Path(f"/tmp/longshore-test-{uuid.uuid4().hex[:8]}")
    directory.mkdir(mode=0o777)
    directory.chmod(0o777)
    copy = directory / "longshore"
    copy.write_bytes(Path(program()).read_bytes())
    copy.chmod(0o755)
    try:
        said = subprocess.run([copy, "doctor", "--listen", f"127.0.0.1:{free}"], capture_output=True, text=True, **nobody)
        assert said.returncode == 1 and "FAIL  root" in said.stdout and "--no-host" in said.stdout
        said = subprocess.run([copy, "up", "--listen", f"127.0.0.1:{free}", "--data-dir", directory / "data"], capture_output=True,
                              text=True, timeout=30, **nobody)
        assert said.returncode == 1 and "root" in said.stderr and "--no-host" in said.stderr, said.stderr
    finally:
        subprocess.run(["rm", "-rf", directory], check=True)


def test_doctor_of_this_machine():
    said = longshore("doctor", "--listen", f"127.0.0.1:{free_port()}")
    assert said.returncode == 0, said.stdout
    for name in ["root", "cgroups", "overlayfs", "namespaces", "firewall", "forwarding", "faults", "port", "room"]:
        assert f"ok    {name}" in said.stdout
    assert "this machine can run tasks" in said.stdout
