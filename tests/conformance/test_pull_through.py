"""Pull-through cache with Debian's docker-registry as the other registry."""

import hashlib
import json
import shutil
import subprocess
import tempfile
import tomllib
import uuid
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from conftest import Region, free_port, program
from images import Registry, basic, write_layout
from waiting import wait_for

pytestmark = pytest.mark.skipif(shutil.which("docker-registry") is None, reason="docker-registry is not installed")
LOGIN = "reader:swordfish"
# Its password as bcrypt has it.
HASHED = "$2y$05$Isq.yHk6n7j62rRpj4DErOr8lRGSgQI1o8czgV4K.C6zkToVrDuBe"


def name(prefix):
    return f"{prefix}{uuid.uuid4().hex[:8]}"


class DockerRegistry:
    """docker-registry on a port and a directory of its own; with `login` it hands nothing out without it."""

    def __init__(self, login=None):
        self.dir = Path(tempfile.mkdtemp(prefix="longshore-upstream-"))
        self.port = free_port()
        auth = ""
        self.login = login
        if login:
            assert login == LOGIN
            (self.dir / "htpasswd").write_text(f"reader:{HASHED}\n")
            auth = f"auth:\n  htpasswd:\n    realm: other\n    path: {self.dir / 'htpasswd'}\n"
        (self.dir / "config.yml").write_text(
            f"version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {self.dir / 'data'}\n"
            f"http:\n  addr: 127.0.0.1:{self.port}\n{auth}")
        self.process = None
        self.start()

    @property
    def host(self):
        return f"localhost:{self.port}"

    def start(self):
        log = open(self.dir / "log", "ab")
        self.process = subprocess.Popen(["docker-registry", "serve", str(self.dir / "config.yml")], stdout=log, stderr=log)
        log.close()

        def answers():
            assert self.process.poll() is None, (self.dir / "log").read_text()
            return subprocess.run(["curl", "-s", "-o", "/dev/null", f"http://127.0.0.1:{self.port}/v2/"]).returncode == 0

        wait_for(answers, "docker-registry answers")

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)

    def push(self, repository, tag, content=b""):
        """Pushes busybox, and `content` in a file, which makes it another image; answers nothing."""
        layout = Path(tempfile.mkdtemp(dir=self.dir))
        write_layout(layout)
        if content:
            image = json.loads((layout / "index.json").read_text())["manifests"][0]["digest"].split(":")[1]
            body = json.loads((layout / "blobs/sha256" / image).read_text())
            body["annotations"] = {"content": content.decode()}
            text = json.dumps(body).encode()
            changed = hashlib.sha256(text).hexdigest()
            (layout / "blobs/sha256" / changed).write_bytes(text)
            index = json.loads((layout / "index.json").read_text())
            index["manifests"][0].update(digest="sha256:" + changed, size=len(text))
            (layout / "index.json").write_text(json.dumps(index))
        creds = ["--dest-creds", self.login] if self.login else []
        done = subprocess.run(["skopeo", "copy", "-q", "--dest-tls-verify=false", *creds, f"oci:{layout}:latest",
                               f"docker://{self.host}/{repository}:{tag}"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr

    def close(self):
        if self.process.poll() is None:
            self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


@pytest.fixture
def upstream():
    registry = DockerRegistry()
    yield registry
    registry.close()


def pull(ecr, region, repository, tag, directory):
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    done = subprocess.run(["skopeo", "copy", "-q", "--src-tls-verify=false", "--src-creds", ":".join(basic(token)),
                           f"docker://{region.registry}/{repository}:{tag}", f"dir:{directory}"],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads((directory / "manifest.json").read_text())


def kept(ecr, repository, tag):
    """The digest of what is kept under a tag, once it is."""
    def found():
        try:
            details = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])["imageDetails"]
        except ClientError:
            return None
        return details[0]["imageDigest"]

    return wait_for(found, f"{repository}:{tag} is kept")


def test_an_image_is_cached_and_refreshed(ecr, region, upstream, tmp_path):
    prefix = name("cache")
    upstream.push("team/app", "v1")
    made = ecr.create_pull_through_cache_rule(ecrRepositoryPrefix=prefix, upstreamRegistryUrl=upstream.host)
    assert made["upstreamRegistryUrl"] == upstream.host
    valid = ecr.validate_pull_through_cache_rule(ecrRepositoryPrefix=prefix)
    assert valid["isValid"] is True and "failure" not in valid
    repository = f"{prefix}/team/app"
    first = pull(ecr, region, repository, "v1", tmp_path / "first")
    digest = kept(ecr, repository, "v1")
    upstream.stop()
    valid = ecr.validate_pull_through_cache_rule(ecrRepositoryPrefix=prefix)
    assert valid["isValid"] is False and "refused" in valid["failure"].lower(), valid
    assert pull(ecr, region, repository, "v1", tmp_path / "second") == first
    done = region.cli("registry", "refresh", f"{repository}:v1")
    assert done.returncode != 0 and "refused" in done.stderr.lower(), done
    upstream.start()
    done = region.cli("registry", "refresh", f"{repository}:v1")
    assert done.returncode == 0 and done.stdout == f"{repository}:v1 is still {digest}\n", done
    # The tag moves there; here it stays for a day, unless somebody says otherwise.
    upstream.push("team/app", "v1", b"another")
    assert pull(ecr, region, repository, "v1", tmp_path / "third") == first
    done = region.cli("registry", "refresh", f"{repository}:v1")
    assert done.returncode == 0, done
    moved = kept(ecr, repository, "v1")
    assert moved != digest and done.stdout == f"{repository}:v1 is now {moved}\n"
    upstream.stop()
    assert pull(ecr, region, repository, "v1", tmp_path / "fourth")["annotations"] == {"content": "another"}
    # One that was never pulled is fetched by a refresh, too; what no rule is about, or is not there, is said.
    upstream.start()
    upstream.push("team/other", "v9")
    done = region.cli("registry", "refresh", f"{prefix}/team/other:v9")
    assert done.returncode == 0 and kept(ecr, f"{prefix}/team/other", "v9") in done.stdout
    for what, text in [("elsewhere/app:v1", "no pull-through cache rule"), (f"{prefix}/team/other:no", "not found"),
                       ("app", "not REPOSITORY:TAG")]:
        done = region.cli("registry", "refresh", what)
        assert done.returncode != 0 and text in done.stderr, done
    ecr.delete_pull_through_cache_rule(ecrRepositoryPrefix=prefix)


def test_a_tag_is_compared_again_after_its_time(upstream, tmp_path):
    region = Region("--no-host", "--pull-through-recheck-hours", "0")
    try:
        ecr = region.client("ecr")
        upstream.push("app", "v1")
        ecr.create_pull_through_cache_rule(ecrRepositoryPrefix="cache", upstreamRegistryUrl=upstream.host)
        first = pull(ecr, region, "cache/app", "v1", tmp_path / "first")
        kept(ecr, "cache/app", "v1")
        upstream.push("app", "v1", b"another")
        assert pull(ecr, region, "cache/app", "v1", tmp_path / "second") != first
    finally:
        region.close()


def test_credentials_come_from_a_secret(ecr, region, tmp_path):
    upstream = DockerRegistry(login=LOGIN)
    secrets = region.client("secretsmanager")
    try:
        upstream.push("app", "v1")
        prefix = name("secret")
        secret = secrets.create_secret(Name=f"ecr-pullthroughcache/{prefix}", SecretString=json.dumps(
            {"username": "reader", "accessToken": "wrong"}))["ARN"]
        ecr.create_pull_through_cache_rule(ecrRepositoryPrefix=prefix, upstreamRegistryUrl=upstream.host, credentialArn=secret)
        valid = ecr.validate_pull_through_cache_rule(ecrRepositoryPrefix=prefix)
        assert valid["isValid"] is False and "401" in valid["failure"], valid
        assert Registry(region, f"{prefix}/app").call("GET", "/manifests/v1")[0] >= 400
        secrets.put_secret_value(SecretId=secret, SecretString=json.dumps(
            {"username": "reader", "accessToken": "swordfish"}))
        assert ecr.validate_pull_through_cache_rule(ecrRepositoryPrefix=prefix)["isValid"] is True
        pull(ecr, region, f"{prefix}/app", "v1", tmp_path / "image")
        kept(ecr, f"{prefix}/app", "v1")
        ecr.delete_pull_through_cache_rule(ecrRepositoryPrefix=prefix)
    finally:
        upstream.close()


def test_lifecycle_policies_evict_what_is_cached(ecr, region, upstream, tmp_path):
    prefix = name("evict")
    ecr.create_pull_through_cache_rule(ecrRepositoryPrefix=prefix, upstreamRegistryUrl=upstream.host)
    repository = f"{prefix}/app"
    for tag in ("v1", "v2"):
        upstream.push("app", tag, tag.encode())
        pull(ecr, region, repository, tag, tmp_path / tag)
        kept(ecr, repository, tag)
    policy = {"rules": [{"rulePriority": 1, "action": {"type": "expire"}, "selection": {
        "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1}}]}
    ecr.put_lifecycle_policy(repositoryName=repository, lifecyclePolicyText=json.dumps(policy))
    wait_for(lambda: [image["imageTags"] for image in ecr.describe_images(repositoryName=repository)["imageDetails"]]
             == [["v2"]], "the older image goes")
    # It comes back with the next pull.
    pull(ecr, region, repository, "v1", tmp_path / "again")
    ecr.delete_pull_through_cache_rule(ecrRepositoryPrefix=prefix)


def test_a_role_pulls_from_another_account(ecr, region, tmp_path):
    """The upstream is the registry of another account of this region, whose policy lets a role pull."""
    account = "4" + f"{uuid.uuid4().int % 10**11:011}"
    subprocess.run([program(), "account", "create", "--id", account, "--data-dir", region.data_dir], check=True, timeout=60,
                   capture_output=True)
    key = tomllib.loads((Path(region.data_dir) / f"root-access-key-{account}.toml").read_text())
    theirs = {"aws_access_key_id": key["access_key_id"], "aws_secret_access_key": key["secret_access_key"]}
    prefix, role = name("role"), name("puller")
    host = f"{account}.dkr.ecr.us-east-1.localhost:{region.port}"
    source = region.client("ecr", **theirs)
    source.create_repository(repositoryName="app")
    Registry(region, "app", account=account, **theirs).push_image("v1")
    iam = region.client("iam")
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
             "Principal": {"Service": "pullthroughcache.ecr.amazonaws.com"}}]}
    arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    pulls = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"]
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": pulls, "Resource": "*"}]}
    iam.put_role_policy(RoleName=role, PolicyName="pull", PolicyDocument=json.dumps(allow))
    try:
        with pytest.raises(ClientError) as error:
            ecr.create_pull_through_cache_rule(ecrRepositoryPrefix=prefix, upstreamRegistryUrl="quay.io", customRoleArn=arn)
        assert error.value.response["Error"]["Code"] == "InvalidParameterException"
        ecr.create_pull_through_cache_rule(ecrRepositoryPrefix=prefix, upstreamRegistryUrl=host, customRoleArn=arn)
        assert ecr.validate_pull_through_cache_rule(ecrRepositoryPrefix=prefix)["isValid"] is True
        assert Registry(region, f"{prefix}/app").call("GET", "/manifests/v1")[0] >= 400
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": arn}, "Action": pulls}]}
        source.set_repository_policy(repositoryName="app", policyText=json.dumps(policy))
        pull(ecr, region, f"{prefix}/app", "v1", tmp_path / "image")
        kept(ecr, f"{prefix}/app", "v1")
    finally:
        ecr.delete_pull_through_cache_rule(ecrRepositoryPrefix=prefix)
        iam.delete_role_policy(RoleName=role, PolicyName="pull")
        iam.delete_role(RoleName=role)
