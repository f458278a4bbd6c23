"""Uploads that break off, and pushes as go-containerregistry's crane makes them.

crane itself is not to be had from Debian's or Python's packages, so its requests are made here by hand: HEAD before each blob,
POST with a mount where the source is known, one PATCH that streams without a length, PUT with the digest and no body, the
manifest by its media type, and pulls that name every media type they accept.
"""

import gzip
import hashlib
import http.client
import json
import os
import socket
import uuid
from pathlib import Path

import pytest
from images import Registry, busybox_layer, digest
from tasks import Tasks
from waiting import wait_for


@pytest.fixture
def registry(ecr, region):
    name = f"up/{uuid.uuid4().hex[:8]}"
    ecr.create_repository(repositoryName=name)
    return Registry(region, name)


def path_of(registry):
    return registry.base[len(registry.host):]


def begin(registry):
    status, headers, _ = registry.call("POST", "/blobs/uploads/", b"")
    assert status == 202
    return headers["Location"]


def breaks_off(region, registry, method, target, sent, length=None, **headers):
    """Sends a request whose body ends too early: `length` bytes are promised (chunks without end where None), `sent` go."""
    connection = socket.create_connection(("127.0.0.1", region.port), timeout=20)
    lines = {"Host": registry.host[7:], "Authorization": registry.header["Authorization"],
             "Content-Type": "application/octet-stream", **{name.replace("_", "-"): value for name, value in headers.items()}}
    lines["Content-Length" if length else "Transfer-Encoding"] = str(length or "chunked")
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    connection.sendall(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode())
    connection.sendall(sent if length else b"%x\r\n%s\r\n" % (len(sent), sent))
    # The client dies: a reset, not an orderly end.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    return connection


def received(registry, location):
    status, headers, _ = registry.call("GET", location)
    assert status == 204
    return int(headers["Range"].split("-")[1]) + 1


@pytest.mark.parametrize("length", [1_000_000, None], ids=["length", "chunks"])
def test_a_patch_that_breaks_off_is_resumed(region, registry, length):
    data = os.urandom(1_000_000)
    location = begin(registry)
    connection = breaks_off(region, registry, "PATCH", location, data[:300_000], length)
    wait_for(lambda: Path(region.data_dir, "blobs/uploads", location.rsplit("/", 1)[1]).stat().st_size == 300_000, "all arrived")
    connection.close()
    wait_for(lambda: received(registry, location) == 300_000, "the server knows of it")
    assert registry.call("HEAD", f"/blobs/{digest(data)}")[0] == 404
    status, headers, _ = registry.call("PATCH", location, data[300_000:], {"Content-Range": "300000-999999"})
    assert status == 202 and headers["Range"] == "0-999999"
    assert registry.call("PUT", f"{location}?digest={digest(data)}", b"")[0] == 201
    assert registry.call("GET", f"/blobs/{digest(data)}")[2] == data


def test_a_put_that_breaks_off_makes_no_blob(region, registry):
    data = os.urandom(1_000_000)
    location = begin(registry)
    # What has come so far would do for this digest: an early end is no end all the same.
    for expected in (digest(data), digest(data[:300_000])):
        connection = breaks_off(region, registry, "PUT", f"{location}?digest={expected}", data[:300_000], 1_000_000)
        wait_for(lambda: Path(region.data_dir, "blobs/uploads", location.rsplit("/", 1)[1]).stat().st_size >= 300_000, "arrived")
        connection.close()
        wait_for(lambda: received(registry, location) % 300_000 == 0, "the server knows of it")
        assert registry.call("HEAD", f"/blobs/{expected}")[0] == 404
        assert registry.call("DELETE", location)[0] == 204
        location = begin(registry)
    assert registry.call("DELETE", location)[0] == 204


def test_a_post_of_everything_that_breaks_off_makes_no_blob(region, registry):
    data = os.urandom(500_000)
    folder = Path(region.data_dir, "blobs/uploads")
    before = set(folder.iterdir())
    connection = breaks_off(region, registry, "POST", f"{path_of(registry)}/blobs/uploads/?digest={digest(data)}", data[:100_000], 500_000)
    [file] = wait_for(lambda: [f for f in set(folder.iterdir()) - before if f.stat().st_size == 100_000], "arrived")
    connection.close()
    assert registry.call("HEAD", f"/blobs/{digest(data)}")[0] == 404
    # Nobody was told its name, so nobody goes on with it; it is swept away like every upload that is idle for a day.
    assert registry.push_blob(data) == digest(data)
    registry.call("DELETE", f"/blobs/uploads/{file.name}")


def test_a_manifest_that_breaks_off_is_no_image(region, registry):
    body = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}).encode()
    breaks_off(region, registry, "PUT", f"{path_of(registry)}/manifests/v1", body, len(body) + 10).close()
    assert registry.call("GET", "/manifests/v1")[0] == 404
    assert json.loads(registry.call("GET", "/tags/list")[2])["tags"] in (None, [])


def test_an_upload_goes_on_after_the_server_was_killed(own_region):
    region = own_region
    region.client("ecr").create_repository(repositoryName="app")
    registry = Registry(region, "app")
    data = os.urandom(400_000)
    location = begin(registry)
    assert registry.call("PATCH", location, data[:100_000])[0] == 202
    region.stop(hard=True)
    region.start()
    assert received(registry, location) == 100_000
    assert registry.call("PATCH", location, data[100_000:], {"Content-Range": "100000-399999"})[0] == 202
    assert registry.call("PUT", f"{location}?digest={digest(data)}", b"")[0] == 201


def test_a_manifest_whose_digest_lies_is_refused(registry):
    body = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}).encode()
    index = {"Content-Type": "application/vnd.oci.image.index.v1+json"}
    status, _, answer = registry.call("PUT", f"/manifests/{digest(b'other')}", body, index)
    assert status == 400 and json.loads(answer)["errors"][0]["code"] == "DIGEST_INVALID"
    for tag in (digest(b"other"), digest(body)):
        assert registry.call("GET", f"/manifests/{tag}")[0] == 404
    assert registry.call("PUT", f"/manifests/{digest(body)}", body, index)[0] == 201


class Crane:
    """The requests of `crane push` and `crane pull`, made over one connection that is kept, as Go's client does."""

    ACCEPTED = ",".join(["application/vnd.docker.distribution.manifest.v1+json", "application/vnd.docker.distribution.manifest.v1+prettyjws",
                         "application/vnd.docker.distribution.manifest.v2+json", "application/vnd.oci.image.manifest.v1+json",
                         "application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.oci.image.index.v1+json"])

    def __init__(self, region, registry):
        self.connection = http.client.HTTPConnection("localhost", region.port, timeout=30)
        self.path = path_of(registry)
        self.secret = registry.header["Authorization"]
        self.headers = {}

    def call(self, method, path, body=None, chunked=False, **headers):
        target = path if path.startswith("/v2/") else self.path + path
        named = {"User-Agent": "crane/0.20 go-containerregistry/0.20", "Accept-Encoding": "gzip", **self.headers,
                 **{name.replace("_", "-"): value for name, value in headers.items()}}
        if chunked:
            named["Transfer-Encoding"] = "chunked"
        self.connection.request(method, target, body, named, encode_chunked=chunked)
        answer = self.connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def ping(self):
        """Learns how to sign in, then does."""
        status, headers, _ = self.call("GET", "/v2/")
        assert status == 401 and headers["WWW-Authenticate"].lower().startswith("basic ")
        self.headers = {"Authorization": self.secret}
        assert self.call("GET", "/v2/")[0] == 200

    def blob(self, data, mount_from=None):
        """Answers how the blob got there."""
        if self.call("HEAD", f"/blobs/{digest(data)}")[0] == 200:
            return "existing"
        mount = f"?from={mount_from}&mount={digest(data)}&origin=localhost" if mount_from else ""
        status, headers, _ = self.call("POST", f"/blobs/uploads/{mount}", b"", Content_Type="application/json")
        if status == 201:
            return "mounted"
        assert status == 202
        pieces = (data[at:at + 32768] for at in range(0, len(data), 32768))
        status, headers, _ = self.call("PATCH", headers["Location"], pieces, chunked=True)
        assert status in (201, 202, 204), status
        mark = "&" if "?" in headers["Location"] else "?"
        status, headers, _ = self.call("PUT", f"{headers['Location']}{mark}digest={digest(data)}", b"",
                                       Content_Type="application/octet-stream")
        assert status == 201 and headers["Docker-Content-Digest"] == digest(data)
        return "pushed"


DOCKER = "application/vnd.docker.distribution.manifest.v2+json"


def docker_image():
    layer = gzip.compress(busybox_layer(), 1, mtime=0)
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Cmd": ["echo", "of crane"]},
                         "rootfs": {"type": "layers", "diff_ids": [digest(gzip.decompress(layer))]}}).encode()
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": DOCKER,
        "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": len(config), "digest": digest(config)},
        "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": len(layer), "digest": digest(layer)}],
    }).encode()
    return layer, config, manifest


def test_the_requests_of_crane(ecr, region, registry):
    layer, config, manifest = docker_image()
    crane = Crane(region, registry)
    crane.ping()
    assert crane.call("HEAD", "/manifests/v1", Accept=Crane.ACCEPTED)[0] == 404
    assert [crane.blob(layer), crane.blob(config), crane.blob(layer)] == ["pushed", "pushed", "existing"]
    status, headers, _ = crane.call("PUT", "/manifests/v1", manifest, Content_Type=DOCKER)
    assert status == 201 and headers["Docker-Content-Digest"] == digest(manifest)
    # crane pull: HEAD and GET by what it accepts, blobs by their digests; crane ls and crane catalog's pages.
    status, headers, _ = crane.call("HEAD", "/manifests/v1", Accept=Crane.ACCEPTED)
    assert (status, headers["Content-Type"], headers["Content-Length"]) == (200, DOCKER, str(len(manifest)))
    status, headers, body = crane.call("GET", "/manifests/v1", Accept=Crane.ACCEPTED)
    assert body == manifest and headers["Docker-Content-Digest"] == digest(manifest)
    status, _, body = crane.call("GET", f"/blobs/{digest(layer)}")
    assert hashlib.sha256(body).hexdigest() == digest(layer)[7:]
    assert json.loads(crane.call("GET", "/tags/list?n=1000")[2])["tags"] == ["v1"]
    # crane copy within the registry mounts; crane tag puts the same bytes under another tag; crane delete.
    other = f"up/{uuid.uuid4().hex[:8]}"
    ecr.create_repository(repositoryName=other)
    copy = Crane(region, Registry(region, other))
    copy.ping()
    source = path_of(registry)[4:]
    assert [copy.blob(layer, source), copy.blob(config, source)] == ["mounted", "mounted"]
    assert copy.call("PUT", "/manifests/v1", manifest, Content_Type=DOCKER)[0] == 201
    assert crane.call("PUT", "/manifests/v2", manifest, Content_Type=DOCKER)[0] == 201
    images = ecr.describe_images(repositoryName=source)["imageDetails"]
    assert [sorted(image["imageTags"]) for image in images] == [["v1", "v2"]]
    assert images[0]["imageManifestMediaType"] == DOCKER
    tasks = Tasks(region)
    task = tasks.run_to_end([tasks.container(f"{region.registry}/{other}:v1")])
    assert tasks.lines(task["taskArn"]) == ["of crane"]
