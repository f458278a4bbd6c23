"""The registry beside Debian's docker-registry: large layers, small ones, many tiny images, many clients, collection."""

import base64
import concurrent.futures
import contextlib
import hashlib
import http.client
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from conftest import Region, free_port
from images import basic, image_documents
from waiting import wait_for

OCTETS = {"Content-Type": "application/octet-stream"}
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
REPOSITORIES = ["big", "many", "tiny", "raw", "kept"]
TINY_IMAGES = 1000
COLLECTED = 100_000


def say(text):
    print(text, flush=True)


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Peer:
    """What is measured: a registry, the process that serves it, and how one logs in."""

    def __init__(self, name, host, pid, credentials=None):
        self.name, self.host, self.pid, self.credentials = name, host, pid, credentials

    def cpu(self):
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def forget_peak(self):
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def peak_mib(self):
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))

    def header(self):
        if not self.credentials:
            return {}
        return {"Authorization": "Basic " + base64.b64encode(self.credentials.encode()).decode()}

    def curl(self, *arguments):
        auth = ["-u", self.credentials] if self.credentials else []
        return subprocess.run(["curl", "-sfL", *auth, *map(str, arguments)], check=True, capture_output=True, text=True)

    def skopeo(self, *arguments, to=False):
        side = "dest" if to else "src"
        auth = [f"--{side}-creds", self.credentials] if self.credentials else []
        subprocess.run(["skopeo", "copy", "-q", f"--{side}-tls-verify=false", *auth, *map(str, arguments)], check=True)


class Client:
    """One connection that is kept open."""

    def __init__(self, peer, repository):
        self.connection = http.client.HTTPConnection(peer.host, timeout=60)
        self.base, self.header = f"/v2/bench/{repository}", peer.header()

    def call(self, method, path, body=None, headers=None, wanted=(200, 201, 202)):
        path = path if path.startswith("/v2") else self.base + path
        self.connection.request(method, path, body, {**self.header, **(headers or {})})
        answer = self.connection.getresponse()
        content = answer.read()
        if answer.status not in wanted:
            raise RuntimeError(f"{method} {path}: {answer.status} {content[:200]}")
        return answer, content

    def push_blob(self, data):
        answer, _ = self.call("POST", "/blobs/uploads/", b"")
        location = urlsplit(answer.headers["Location"])
        query = (location.query + "&" if location.query else "") + f"digest={sha256(data)}"
        self.call("PUT", f"{location.path}?{query}", data, OCTETS)

    def push_image(self, tag, layer):
        config, manifest = image_documents(layer, layer)
        self.push_blob(config)
        self.push_blob(layer)
        self.call("PUT", f"/manifests/{tag}", json.dumps(manifest).encode(), {"Content-Type": MANIFEST})

    def pull_image(self, tag):
        _, content = self.call("GET", f"/manifests/{tag}", headers={"Accept": MANIFEST})
        manifest = json.loads(content)
        for blob in [manifest["config"], *manifest["layers"]]:
            self.call("GET", f"/blobs/{blob['digest']}")


@contextlib.contextmanager
def longshore():
    region = Region()
    try:
        ecr = region.client("ecr")
        for name in REPOSITORIES:
            ecr.create_repository(repositoryName=f"bench/{name}")
        user, password = basic(ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"])
        yield Peer("longshore", region.registry, region.process.pid, f"{user}:{password}")
    finally:
        region.close()


@contextlib.contextmanager
def docker_registry():
    directory, port = tempfile.mkdtemp(prefix="longshore-bench-"), free_port()
    config = Path(directory) / "config.yml"
    config.write_text(f"version: 0.1\nlog:\n  accesslog:\n    disabled: true\n  level: error\nstorage:\n  filesystem:\n"
                      f"    rootdirectory: {directory}/data\nhttp:\n  addr: 127.0.0.1:{port}\n")
    process = subprocess.Popen(["docker-registry", "serve", str(config)], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    peer = Peer("docker-registry", f"127.0.0.1:{port}", process.pid)
    try:
        wait_for(lambda: answers(peer), "an answer of docker-registry")
        yield peer
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(directory, ignore_errors=True)


def answers(peer):
    try:
        return peer.curl(f"http://{peer.host}/v2/").returncode == 0
    except subprocess.CalledProcessError:
        return False


class Phase:
    """Runs of one kind: MiB or images per second, and CPU of the server for each GiB or image."""

    def __init__(self, peer, name, amount, unit):
        self.peer, self.name, self.amount, self.unit = peer, name, amount, unit
        self.rates, self.cpu = [], []
        peer.forget_peak()

    @contextlib.contextmanager
    def run(self):
        # What an earlier run left to be written is not this one's work.
        os.sync()
        cpu, begun = self.peer.cpu(), time.perf_counter()
        yield
        self.rates.append(self.amount / (time.perf_counter() - begun))
        self.cpu.append(self.peer.cpu() - cpu)

    def say(self):
        cpu = statistics.median(self.cpu)
        cost = f"{cpu * 1024 / self.amount:.2f} s CPU/GiB" if self.unit == "MiB" else f"{cpu * 1000 / self.amount:.2f} ms CPU each"
        rates = f"{statistics.median(self.rates):,.0f} {self.unit}/s ({min(self.rates):,.0f} to {max(self.rates):,.0f})"
        say(f"{self.peer.name:<16} {self.name:<36} {rates}, {cost}, peak RSS {self.peer.peak_mib():.0f} MiB")


def random_file(path, mib):
    hasher = hashlib.sha256()
    with open(path, "wb") as out:
        for _ in range(mib):
            block = os.urandom(1 << 20)
            hasher.update(block)
            out.write(block)
    return "sha256:" + hasher.hexdigest()


def upload(peer, path, digest):
    head = peer.curl("-D-", "-o", "/dev/null", "-X", "POST", "-H", "Content-Length: 0",
                     f"http://{peer.host}/v2/bench/raw/blobs/uploads/").stdout
    location = next(line.split(":", 1)[1].strip() for line in head.splitlines() if line.lower().startswith("location:"))
    location = location if location.startswith("http") else f"http://{peer.host}{location}"
    location += ("&" if "?" in location else "?") + f"digest={digest}"
    peer.curl("-o", "/dev/null", "-X", "PUT", "-H", "Expect:", "-H", "Content-Type: application/octet-stream", "-T", path,
              location)


def download(peer, digest):
    peer.curl("-o", "/dev/null", f"http://{peer.host}/v2/bench/raw/blobs/{digest}")


def large(peer, directory, mib=512, runs=3):
    up, down = Phase(peer, f"push {mib} MiB, curl", mib, "MiB"), Phase(peer, f"pull {mib} MiB, curl", mib, "MiB")
    for _ in range(runs):
        digest = random_file(directory / "blob", mib)
        with up.run():
            upload(peer, directory / "blob", digest)
        with down.run():
            download(peer, digest)
    up.say()
    down.say()


def eight(peer, directory, mib=64, clients=8):
    up = Phase(peer, f"push {clients} x {mib} MiB, {clients} clients", mib * clients, "MiB")
    down = Phase(peer, f"pull {clients} x {mib} MiB, {clients} clients", mib * clients, "MiB")
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        for _ in range(3):
            digests = [random_file(directory / f"blob{n}", mib) for n in range(clients)]
            with up.run():
                list(pool.map(lambda n: upload(peer, directory / f"blob{n}", digests[n]), range(clients)))
            with down.run():
                list(pool.map(lambda digest: download(peer, digest), digests))
    up.say()
    down.say()


def layers(peer, directory, runs=3, count=20, mib=5):
    """An image of 20 layers with skopeo. Each run has bytes of its own, so that nothing is mounted or skipped."""
    up = Phase(peer, f"push {count} x {mib} MiB, skopeo", count * mib, "MiB")
    down = Phase(peer, f"pull {count} x {mib} MiB, skopeo", count * mib, "MiB")
    for run in range(runs):
        image = directory / f"image{run}"
        write_image(image, count, mib)
        with up.run():
            peer.skopeo("--preserve-digests", f"dir:{image}", f"docker://{peer.host}/bench/many:{run}", to=True)
        with down.run():
            peer.skopeo(f"docker://{peer.host}/bench/many:{run}", f"dir:{directory}/pulled")
        shutil.rmtree(directory / "pulled")
    up.say()
    down.say()


def write_image(image, count, mib):
    image.mkdir()
    found = []
    for _ in range(count):
        digest = random_file(image / "layer", mib)
        (image / "layer").rename(image / digest.removeprefix("sha256:"))
        found.append(digest)
    config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": found}}).encode()
    (image / sha256(config).removeprefix("sha256:")).write_bytes(config)
    layer = "application/vnd.oci.image.layer.v1.tar"
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": sha256(config), "size": len(config)},
        "layers": [{"mediaType": layer, "digest": digest, "size": mib << 20} for digest in found],
    }
    (image / "manifest.json").write_text(json.dumps(manifest))
    (image / "version").write_text("Directory Transport Version: 1.1\n")


def tiny(peer):
    """1,000 images of 1 KiB, each pushed and pulled whole over connections that stay open; the client is this program."""
    for clients in (1, 8, 64):
        def all_of(phase, work):
            def some(client_number):
                client = Client(peer, "tiny")
                for number in range(client_number, TINY_IMAGES, clients):
                    work(client, f"{clients}-{number}")
            with concurrent.futures.ThreadPoolExecutor(clients) as pool, phase.run():
                list(pool.map(some, range(clients)))
            phase.say()
        all_of(Phase(peer, f"push {TINY_IMAGES:,} tiny images, {clients} clients", TINY_IMAGES, "images"),
               lambda client, tag: client.push_image(tag, (tag * 1024)[:1024].encode()))
        all_of(Phase(peer, f"pull {TINY_IMAGES:,} tiny images, {clients} clients", TINY_IMAGES, "images"),
               lambda client, tag: client.pull_image(tag))


def requests(peer, seconds=5):
    """GET with wrk; HEAD with hey, because wrk waits for the body of a HEAD."""
    Client(peer, "kept").push_image("t", b"x" * 10_240)
    headers = {**peer.header(), "Accept": MANIFEST}
    header = [argument for name, value in headers.items() for argument in ("-H", f"{name}: {value}")]
    url = f"http://{peer.host}/v2/bench/kept/manifests/t"
    for clients in (1, 8, 64):
        cpu = peer.cpu()
        out = subprocess.run(["wrk", f"-t{min(clients, 2)}", f"-c{clients}", f"-d{seconds}s", "--latency", *header, url],
                             check=True, capture_output=True, text=True).stdout
        rate = float(next(line.split()[1] for line in out.splitlines() if "Requests/sec" in line))
        last = next(line.split()[1] for line in out.splitlines() if "99%" in line)
        wrong = "; answers other than 2xx!" if "Non-2xx" in out else ""
        cost = (peer.cpu() - cpu) * 1e6 / (rate * seconds)
        say(f"{peer.name:<16} {f'GET of a manifest, {clients} clients':<36} {rate:,.0f}/s, p99 {last}, {cost:.0f} us CPU each{wrong}")
        out = subprocess.run(["hey", "-z", f"{seconds}s", "-c", str(clients), "-m", "HEAD", *header, url], check=True,
                             capture_output=True, text=True).stdout
        rate = float(next(line.split()[1] for line in out.splitlines() if "Requests/sec" in line))
        say(f"{peer.name:<16} {f'HEAD of a manifest, {clients} clients':<36} {rate:,.0f}/s")


def measure(peer):
    with tempfile.TemporaryDirectory(prefix="longshore-bench-") as directory:
        large(peer, Path(directory))
        eight(peer, Path(directory))
        layers(peer, Path(directory))
    tiny(peer)
    requests(peer)


def registry():
    with longshore() as peer:
        measure(peer)
    if not shutil.which("docker-registry"):
        say("docker-registry: not installed, no figure")
        return
    with docker_registry() as peer:
        measure(peer)


def collection():
    """Pushes go on while 100,000 blobs lose their images and are collected."""
    region = Region()
    try:
        ecr = region.client("ecr")
        ecr.create_repository(repositoryName="bench/kept")
        ecr.create_repository(repositoryName="bench/dropped")
        user, password = basic(ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"])
        peer = Peer("longshore", region.registry, region.process.pid, f"{user}:{password}")
        filled = fill(peer)
        say(f"longshore        {COLLECTED:,} blobs pushed in {filled:.0f} s")
        alone = pushes_during(peer, "a", lambda: time.sleep(10))
        say(f"longshore        push of a tiny image, nothing else at work: {spread_ms(alone)}")
        took = []
        def drop():
            begun = time.perf_counter()
            ecr.delete_repository(repositoryName="bench/dropped", force=True)
            took.append(time.perf_counter() - begun)
            said = region.cli("registry", "collect", "--now").stdout
            took.append(time.perf_counter() - begun - took[0])
            say(f"longshore        {said.strip()}")
        peer.forget_peak()
        meanwhile = pushes_during(peer, "b", drop)
        say(f"longshore        repository deleted in {took[0]:.1f} s, blobs collected in {took[1]:.1f} s, peak RSS "
            f"{peer.peak_mib():.0f} MiB; push of a tiny image meanwhile: {spread_ms(meanwhile)}")
        client = Client(peer, "kept")
        for number in range(len(meanwhile)):
            client.pull_image(f"b{number}")
        say(f"longshore        all {len(meanwhile)} images pushed meanwhile are whole")
    finally:
        region.close()


def fill(peer, clients=16):
    def some(first):
        client = Client(peer, "dropped")
        for number in range(first, COLLECTED, clients):
            client.push_blob(f"blob {number}".encode())
    begun = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        list(pool.map(some, range(clients)))
    return time.perf_counter() - begun


def pushes_during(peer, name, work):
    """Pushes tiny images one after another until `work` is done, and returns how long each took."""
    done, samples = threading.Event(), []
    def push():
        client = Client(peer, "kept")
        while not done.is_set():
            begun = time.perf_counter()
            tag = f"{name}{len(samples)}"
            client.push_image(tag, tag.encode())
            samples.append((time.perf_counter() - begun) * 1000)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pushing = pool.submit(push)
        try:
            work()
        finally:
            done.set()
        pushing.result()
    return samples


def spread_ms(samples):
    last = sorted(samples)[int(len(samples) * 0.99)]
    return f"median {statistics.median(samples):.1f} ms, p99 {last:.1f}, max {max(samples):.1f} ({len(samples)} pushes)"
