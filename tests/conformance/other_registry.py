"""A registry of somebody else: images in memory, pulled without credentials, and as slow or as false as a test wants.

`gate` holds every layer back after its first half until it is set, so that a pull lasts as long as a test needs. What is
put into `lies` is sent instead of the content that its path names.
"""

import gzip
import json
import tarfile
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from images import busybox_layer, digest

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def own_layer():
    """Busybox in a layer that is not here yet."""
    mark = uuid.uuid4().bytes
    entry = tarfile.TarInfo("etc/mark")
    entry.size = len(mark)
    return busybox_layer([(entry, mark)])


class OtherRegistry:
    """Serves `NAME:TAG` of images that `add` was given, on a free port of this machine."""

    def __init__(self):
        self.content = {}
        self.lies = {}
        self.gate = threading.Event()
        self.gate.set()
        self.waiting = threading.Event()
        self.requests = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def host(self):
        return f"localhost:{self.server.server_port}"

    def add(self, name, tag="latest", layer=None, media_type="application/vnd.oci.image.layer.v1.tar+gzip", compressed=None,
            diff_id=None, layer_size=None, **config):
        """Adds an image of one layer, which no other image has; answers its reference and its layer's digest."""
        layer = own_layer() if layer is None else layer
        packed = gzip.compress(layer, 1, mtime=0) if compressed is None else compressed
        document = json.dumps({
            "architecture": "amd64", "os": "linux", "config": {"Env": ["PATH=/bin"], "Cmd": ["sh"], **config},
            "rootfs": {"type": "layers", "diff_ids": [diff_id or digest(layer)]},
        }).encode()
        manifest = json.dumps({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(document),
                       "size": len(document)},
            "layers": [{"mediaType": media_type, "digest": digest(packed),
                        "size": len(packed) if layer_size is None else layer_size}],
        }).encode()
        for kind, body in [("blobs", packed), ("blobs", document), ("manifests", manifest)]:
            self.content[f"/v2/{name}/{kind}/{digest(body)}"] = body
        self.content[f"/v2/{name}/manifests/{tag}"] = manifest
        self.layer = f"/v2/{name}/blobs/{digest(packed)}"
        return f"{self.host}/{name}:{tag}", digest(packed)

    def close(self):
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()

    def _handler(registry):  # noqa: N805 - the handler below has a self of its own
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_HEAD(self):
                self.answer(send_body=False)

            def do_GET(self):
                self.answer(send_body=True)

            def answer(self, send_body):
                registry.requests.append((self.command, self.path))
                if self.path == "/v2/":
                    return self.send(200, b"{}", "application/json", send_body)
                true = registry.content.get(self.path)
                body = registry.lies.get(self.path, true)
                if body is None:
                    unknown = b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}'
                    return self.send(404, unknown, "application/json", send_body)
                manifest = "/manifests/" in self.path
                named = {"Docker-Content-Digest": digest(true)} if manifest and true else {}
                first = int(self.headers.get("Range", "bytes=0-")[6:].split("-")[0])
                if first:
                    named["Content-Range"] = f"bytes {first}-{len(body) - 1}/{len(body)}"
                status = 206 if first else 200
                self.send(status, body[first:], MANIFEST if manifest else "application/octet-stream", send_body, named)

            def send(self, status, body, media_type, send_body, headers=None):
                self.send_response(status)
                self.send_header("Content-Type", media_type)
                self.send_header("Content-Length", str(len(body)))
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.end_headers()
                if not send_body:
                    return
                half = len(body) // 2 if self.path == registry.layer else len(body)
                try:
                    self.wfile.write(body[:half])
                    self.wfile.flush()
                    if half < len(body):
                        registry.waiting.set()
                        registry.gate.wait(60)
                        self.wfile.write(body[half:])
                except OSError:
                    self.close_connection = True

        return Handler
