"""Images that are hostile, false or missing, and containers that misbehave: each task ends in the state AWS documents,
with a reason that a person understands, and leaves nothing behind."""

import gzip
import os
import tarfile
import time

import pytest
from conftest import Region
from images import Registry, busybox_layer, digest
from leftovers import leaves_nothing
from other_registry import OtherRegistry, own_layer
from tasks import Tasks
from waiting import wait_for


@pytest.fixture(scope="module")
def place():
    """A region of this module's own with the image `busybox`, since every test looks at what is left of its tasks."""
    region = Region()
    region.client("ecr").create_repository(repositoryName="busybox")
    Registry(region, "busybox").push_image("latest")
    yield region
    region.close()


@pytest.fixture(scope="module")
def tasks(place):
    made = Tasks(place)
    yield made
    made.close()


@pytest.fixture(scope="module")
def image(place):
    return f"localhost:{place.port}/busybox:latest"


@pytest.fixture(autouse=True)
def nothing_is_left(place):
    yield
    leaves_nothing(place)


@pytest.fixture
def other():
    registry = OtherRegistry()
    yield registry
    registry.close()


def fails_to_start(tasks, image, *reasons, command=("true",)):
    """Runs the image, which must fail to start with a pull error that holds all of `reasons`."""
    task = tasks.run_to_end([tasks.container(image, list(command))])
    assert task["stopCode"] == "TaskFailedToStart", task
    assert task["stoppedReason"].startswith("CannotPullContainerError: "), task["stoppedReason"]
    for reason in reasons:
        assert reason in task["stoppedReason"], task["stoppedReason"]
    container = task["containers"][0]
    assert container["lastStatus"] == "STOPPED" and "exitCode" not in container and "runtimeId" not in container
    assert container["reason"] == task["stoppedReason"]
    assert "startedAt" not in task and task["stoppedAt"] >= task["createdAt"]
    return task


def entry(name, kind=tarfile.REGTYPE, size=0, link=""):
    made = tarfile.TarInfo(name)
    made.type, made.size, made.linkname, made.mode = kind, size, link, 0o644
    return made


def tar_of(*entries):
    """Headers alone, each followed by the content given, and the end of the archive."""
    return b"".join(e.tobuf(format=tarfile.GNU_FORMAT) + content for e, content in entries) + b"\0" * 10240


def gzip_bomb(gib):
    """A file of so many GiB of zeroes in a gzip stream of few MiB: one member repeated."""
    member = gzip.compress(b"\0" * (64 << 20), 9, mtime=0)
    start = gzip.compress(entry("bomb", size=gib << 30).tobuf(format=tarfile.GNU_FORMAT), mtime=0)
    return start + member * (gib << 4) + gzip.compress(b"\0" * 10240)


def sparse_bomb():
    """A sparse file that is 1 TiB long and takes no room in the archive."""
    header = bytearray(entry("holes", tarfile.GNUTYPE_SPARSE).tobuf(format=tarfile.GNU_FORMAT))
    header[483:495] = b"\x80" + (1 << 40).to_bytes(11, "big")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + b"\0" * 10240


TOO_LARGE = "image is larger than the 21474836480 bytes allowed when unpacked"
BOMBS = {
    "claims": (lambda: tar_of((entry("bomb", size=1 << 40), b"")), TOO_LARGE),
    "sparse": (sparse_bomb, TOO_LARGE),
    "name": (lambda: tar_of((entry("././@LongLink", tarfile.GNUTYPE_LONGNAME, 1 << 30), b"a" * 4096)),
             "an extended header is too long"),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_tar_bomb(tasks, place, kind):
    make, reason = BOMBS[kind]
    Registry(place, "busybox").push_image(kind, make())
    fails_to_start(tasks, f"localhost:{place.port}/busybox:{kind}", reason)


def test_a_gzip_bomb(tasks, place):
    packed = gzip_bomb(21)
    assert len(packed) < 32 << 20
    Registry(place, "busybox").push_image("gzip", layer=b"", compressed=packed)
    fails_to_start(tasks, f"localhost:{place.port}/busybox:gzip", TOO_LARGE)


def outside(name):
    """A path outside of every root, which must not be made."""
    return f"/tmp/longshore-escaped-{os.getpid()}-{name}"


def escaping(kind):
    """Entries that would write, or reach, `outside(kind)` if links and dots were followed, and whether they are refused."""
    target, content = outside(kind), entry("x", size=1)
    name = os.path.basename(target)
    content.name = {"dots": f"../../../../../../..{target}", "absolute": target, "symlink": f"out/{name}",
                    "relative": f"out/{name}", "link": "alias"}[kind]
    before = {"symlink": [entry("out", tarfile.SYMTYPE, link="/tmp")],
              "relative": [entry("out", tarfile.SYMTYPE, link="../../../../../../../../tmp")],
              "link": [entry("alias", tarfile.LNKTYPE, link="../../../../../../../../etc/hostname")]}.get(kind, [])
    return [*((e, None) for e in before), *([] if kind == "link" else [(content, b"x")])]


# The reason for which each is refused; the others stay inside of the root, where links are resolved as the container would.
LEAVES = "the path leaves the image's root"
ESCAPES = {"dots": LEAVES, "absolute": None, "symlink": None, "relative": None, "link": LEAVES}


@pytest.mark.parametrize("kind", ESCAPES)
def test_a_layer_that_escapes_the_root(tasks, place, kind):
    Registry(place, "busybox").push_image(kind, busybox_layer(escaping(kind)))
    image, refused = f"localhost:{place.port}/busybox:{kind}", ESCAPES[kind]
    try:
        if refused:
            fails_to_start(tasks, image, refused)
        else:
            task = tasks.run_to_end([tasks.container(image, ["sh", "-c", f"cat {outside(kind)}"])])
            assert tasks.lines(task["taskArn"]) == ["x"], "inside of its own root it is there"
        assert not os.path.exists(outside(kind))
    finally:
        if os.path.exists(outside(kind)):
            os.unlink(outside(kind))


def test_a_link_that_leads_out_while_the_container_runs(tasks, place):
    """A symbolic link of the image to a file of the machine shows the image's own file, or none."""
    Registry(place, "busybox").push_image("out", busybox_layer([(entry("secret", tarfile.SYMTYPE, link=outside("secret")), None)]))
    with open(outside("secret"), "w") as secret:
        secret.write("of the machine")
    try:
        task = tasks.run_to_end([tasks.container(f"localhost:{place.port}/busybox:out", ["cat", "/secret"])])
        assert tasks.exit_code(task) == 1 and "of the machine" not in "".join(tasks.lines(task["taskArn"]))
    finally:
        os.unlink(outside("secret"))


def test_an_image_of_another_registry_runs(tasks, other):
    image, _ = other.add("app")
    task = tasks.run_to_end([tasks.container(image, ["echo", "from elsewhere"])])
    assert tasks.exit_code(task) == 0 and tasks.lines(task["taskArn"]) == ["from elsewhere"]


def test_a_registry_whose_layer_lies(tasks, other):
    image, layer = other.add("app")
    true = other.content[other.layer]
    other.lies[other.layer] = true[:-1] + bytes([true[-1] ^ 1])
    fails_to_start(tasks, image, layer, "digest")


def test_a_registry_whose_layer_is_too_short(tasks, other):
    layer = own_layer()
    packed = gzip.compress(layer, 1, mtime=0)
    image, _ = other.add("app", layer=layer, layer_size=len(packed) + 10)
    fails_to_start(tasks, image, "EOF")


def test_a_registry_whose_layer_is_too_long(tasks, other):
    image, _ = other.add("app")
    other.lies[other.layer] = other.content[other.layer] + b"more"
    fails_to_start(tasks, image, "unexpected commit size")


def test_a_registry_whose_manifest_lies(tasks, other):
    image, _ = other.add("app")
    path = "/v2/app/manifests/latest"
    other.lies[path] = other.content[path].replace(b'"schemaVersion": 2', b'"schemaVersion":  2')
    fails_to_start(tasks, image, "manifest has digest sha256:")
    by_digest = f"{other.host}/app@{digest(other.content[path])}"
    other.lies[f"/v2/app/manifests/{digest(other.content[path])}"] = other.lies.pop(path)
    fails_to_start(tasks, by_digest, "manifest has digest sha256:", digest(other.content[path]))


def test_a_registry_whose_configuration_lies(tasks, other):
    image, _ = other.add("app")
    [path] = [path for path, body in other.content.items() if b"rootfs" in body]
    other.lies[path] = other.content[path].replace(b"/bin", b"/bim")
    fails_to_start(tasks, image, "digest")


def test_an_archive_that_is_none(tasks, place):
    for tag, body in [("noise", os.urandom(4096)), ("cut", gzip.compress(busybox_layer(), 1, mtime=0)[:100_000])]:
        Registry(place, "busybox").push_image(tag, layer=b"", compressed=body)
        fails_to_start(tasks, f"localhost:{place.port}/busybox:{tag}", "invalid tar or compression")


def test_an_image_that_does_not_exist(tasks, place, other):
    fails_to_start(tasks, f"localhost:{place.port}/busybox:nothing", "busybox:nothing: not found")
    fails_to_start(tasks, f"localhost:{place.port}/never/made:v1", "never/made")
    fails_to_start(tasks, f"{other.host}/app:latest", "app:latest: not found")


def test_a_registry_that_does_not_answer(tasks, other):
    host = other.host
    other.close()
    fails_to_start(tasks, f"{host}/app:latest", "failed to do request", "refused")


def test_an_entry_point_that_does_not_exist(tasks, image):
    task = tasks.run_to_end([tasks.container(image, entryPoint=["/no/such/program"])])
    container = task["containers"][0]
    assert task["stopCode"] == "TaskFailedToStart" and "startedAt" not in task
    assert container["reason"].startswith("CannotStartContainerError: ") and "/no/such/program" in container["reason"]
    assert "no such file or directory" in container["reason"].lower(), container["reason"]


def test_an_entry_point_that_is_no_program(tasks, image):
    task = tasks.run_to_end([tasks.container(image, entryPoint=["/etc/passwd"])])
    reason = task["containers"][0]["reason"]
    assert reason.startswith("CannotStartContainerError: ") and "permission denied" in reason.lower(), reason


@pytest.mark.parametrize("code", [0, 1, 127])
def test_a_container_that_exits_at_once(tasks, image, code):
    task = tasks.run_to_end([tasks.container(image, ["sh", "-c", f"exit {code}"])])
    assert tasks.exit_code(task) == code
    assert task["stopCode"] == "EssentialContainerExited"
    assert task["stoppedReason"] == "Essential container in task exited"


def test_a_container_that_kills_itself(tasks, image):
    task = tasks.run_to_end([tasks.container(image, ["sh", "-c", "sh -c 'kill -9 $PPID'; sleep 5"],
                                             linuxParameters={"initProcessEnabled": True})])
    assert tasks.exit_code(task) == 137 and task["stopCode"] == "EssentialContainerExited"


def test_a_container_that_ignores_sigterm(tasks, image):
    task = tasks.run(tasks.register([tasks.container(image, ["sh", "-c", "trap '' TERM; echo up; while :; do sleep 1; done"])]))
    wait_for(lambda: tasks.describe(task)["lastStatus"] == "RUNNING" and tasks.lines(task) == ["up"], "its first line")
    begun = time.monotonic()
    stopped = tasks.stop(task)
    assert tasks.exit_code(stopped) == 137 and stopped["stopCode"] == "UserInitiated"
    assert 1.5 < time.monotonic() - begun < 15


def test_a_container_that_forks_without_end(tasks, image):
    bomb = tasks.container(image, ["sh", "-c", "while :; do sleep 600 & done"], name="bomb", essential=False)
    calm = tasks.container(image, ["sleep", "600"])
    task = tasks.run(tasks.register([bomb, calm], cpu="1024", memory="2048"))
    ended = lambda: next(c for c in tasks.describe(task)["containers"] if c["name"] == "bomb")["lastStatus"] == "STOPPED"
    wait_for(ended, "the shell gives up at the limit of processes", 60)
    assert tasks.describe(task)["lastStatus"] == "RUNNING", "the other container goes on"
    tasks.stop(task)


def test_a_container_that_eats_memory(tasks, image):
    eats = ["dd", "if=/dev/zero", "of=/dev/null", "bs=400M", "count=10"]
    task = tasks.run_to_end([tasks.container(image, eats, memory=64)])
    assert tasks.exit_code(task) == 137
    assert task["containers"][0]["reason"] == "OutOfMemoryError: Container killed due to memory usage"
    assert task["stopCode"] == "EssentialContainerExited"
    # The task's own limit, where the container has none.
    task = tasks.run_to_end([tasks.container(image, [*eats[:3], "bs=700M", "count=10"])])
    assert tasks.exit_code(task) == 137 and task["containers"][0]["reason"].startswith("OutOfMemoryError")
