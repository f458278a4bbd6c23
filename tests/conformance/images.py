"""Small test images made of busybox-static, pushed through the registry API with skopeo or by hand."""

import base64
import gzip
import hashlib
import io
import json
import tarfile
import urllib.error
import urllib.request

BUSYBOX = "/bin/busybox"
APPLETS = "sh echo sleep cat ls true false id env mkdir touch rm kill nc wc dd mount umount unshare head tail ps stat hostname test ln df yes ip ping nslookup".split()


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def busybox_layer(extra=()):
    """A gzip layer with busybox, its applets, and `extra` pairs of (TarInfo, bytes or None)."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name in ["bin", "tmp", "etc", "root", "var", "proc", "sys", "dev"]:
            entry = tarfile.TarInfo(name)
            entry.type = tarfile.DIRTYPE
            entry.mode = 0o1777 if name == "tmp" else 0o755
            tar.addfile(entry)
        tar.add(BUSYBOX, "bin/busybox")
        for applet in APPLETS:
            entry = tarfile.TarInfo(f"bin/{applet}")
            entry.type = tarfile.SYMTYPE
            entry.linkname = "busybox"
            tar.addfile(entry)
        for name, text in [("etc/passwd", "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/tmp:/bin/sh\n"),
                           ("etc/group", "root:x:0:\napp:x:1000:\n")]:
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
        for entry, content in extra:
            tar.addfile(entry, io.BytesIO(content) if content is not None else None)
    return raw.getvalue()


class Registry:
    """A minimal client of the OCI distribution protocol."""

    def __init__(self, region, repository, account=None, **credentials):
        ecr = region.client("ecr", **credentials)
        token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
        self.header = {"Authorization": "Basic " + token}
        if account:
            self.header["Host"] = f"{account}.dkr.ecr.us-east-1.localhost:{region.port}"
        self.base = f"http://127.0.0.1:{region.port}/v2/{repository}"
        self.host = f"http://127.0.0.1:{region.port}"

    def call(self, method, url, body=None, headers=None):
        """Returns (status, headers, body) and never raises for a status."""
        url = url if url.startswith("http") else (self.host + url if url.startswith("/v2") else self.base + url)
        request = urllib.request.Request(url, data=body, method=method, headers={**self.header, **(headers or {})})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def push_blob(self, data):
        status, headers, _ = self.call("POST", "/blobs/uploads/", b"")
        assert status == 202
        location = headers["Location"]
        mark = "&" if "?" in location else "?"
        status, _, body = self.call("PUT", f"{location}{mark}digest={digest(data)}", data,
                                    {"Content-Type": "application/octet-stream"})
        assert status == 201, body
        return digest(data)

    def push_manifest(self, tag, manifest, media_type="application/vnd.oci.image.manifest.v1+json"):
        body = json.dumps(manifest).encode()
        status, _, answer = self.call("PUT", f"/manifests/{tag}", body, {"Content-Type": media_type})
        assert status == 201, answer
        return digest(body)

    def push_image(self, tag, layer=None, compressed=None, diff_id=None, **config):
        """Pushes an image of one layer and returns its manifest's digest."""
        layer = busybox_layer() if layer is None else layer
        packed = gzip.compress(layer, 1, mtime=0) if compressed is None else compressed
        blob, manifest = image_documents(layer, packed, diff_id, config)
        self.push_blob(blob)
        self.push_blob(packed)
        return self.push_manifest(tag, manifest)


def image_documents(layer, packed, diff_id=None, config=None):
    """The configuration, as bytes, and the manifest of an image of one layer."""
    document = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": ["PATH=/bin"], "Cmd": ["sh"], **(config or {})},
        "rootfs": {"type": "layers", "diff_ids": [diff_id or digest(layer)]},
    }
    blob = json.dumps(document).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(blob), "size": len(blob)},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest(packed),
                    "size": len(packed)}],
    }
    return blob, manifest


def write_layout(directory, tag="latest", layer=None):
    """Writes an image, of busybox by default, into an OCI image layout, as skopeo and podman read it."""
    layer = busybox_layer() if layer is None else layer
    packed = gzip.compress(layer, 1, mtime=0)
    blob, manifest = image_documents(layer, packed)
    body = json.dumps(manifest).encode()
    blobs = directory / "blobs/sha256"
    blobs.mkdir(parents=True)
    for data in (blob, packed, body):
        (blobs / digest(data).removeprefix("sha256:")).write_bytes(data)
    entry = {"mediaType": manifest["mediaType"], "digest": digest(body), "size": len(body),
             "annotations": {"org.opencontainers.image.ref.name": tag}}
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


def basic(token):
    return base64.b64decode(token).decode().split(":", 1)
