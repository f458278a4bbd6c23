"""Artifacts that are no images, with the clients that packages carry (helm, the ORAS client of Python, buildah), and
the requests of those that none carries (cosign, notation, `oras attach`) made by hand."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import uuid
from pathlib import Path

import pytest
from images import Registry, basic, busybox_layer, digest

OCI = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
EMPTY = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest(b"{}"), "size": 2}


@pytest.fixture
def repository(ecr):
    made = f"artifacts/{uuid.uuid4().hex[:8]}"
    ecr.create_repository(repositoryName=made)
    return made


@pytest.fixture
def login(ecr):
    return basic(ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"])


class Helm:
    """The helm program in a home of its own."""

    def __init__(self, home):
        installed = Path(sys.executable).with_name("helm")
        self.program = str(installed) if installed.exists() else shutil.which("helm")
        if not self.program:
            pytest.skip("helm is not installed: cargo xtask test installs it")
        self.home = home
        self.environment = {**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": f"{home}/config",
                            "XDG_CACHE_HOME": f"{home}/cache", "XDG_DATA_HOME": f"{home}/data"}

    def run(self, *arguments, check=True, **more):
        done = subprocess.run([self.program, *arguments], capture_output=True, text=True, timeout=60, cwd=self.home,
                              env=self.environment, **more)
        assert not check or done.returncode == 0, done.stderr
        return done


def test_helm_pushes_pulls_and_renders_charts(ecr, region, repository, login, tmp_path):
    helm = Helm(tmp_path)
    user, password = login
    # A chart goes into the repository that is called like it.
    chart = f"chart{uuid.uuid4().hex[:6]}"
    ecr.create_repository(repositoryName=f"{repository}/{chart}")
    helm.run("create", chart)
    for version in ("0.1.0", "0.2.0"):
        helm.run("package", chart, "--version", version)
    place = f"oci://{region.registry}/{repository}"
    refused = helm.run("push", f"{chart}-0.1.0.tgz", place, "--plain-http", check=False)
    assert refused.returncode != 0 and "no basic auth credentials" in refused.stderr, refused.stderr
    helm.run("registry", "login", region.registry, "-u", user, "--password-stdin", "--insecure", input=password)
    for version in ("0.1.0", "0.2.0"):
        pushed = helm.run("push", f"{chart}-{version}.tgz", place, "--plain-http")
        assert "Digest: sha256:" in pushed.stderr + pushed.stdout
    images = ecr.describe_images(repositoryName=f"{repository}/{chart}")["imageDetails"]
    assert sorted(tag for image in images for tag in image["imageTags"]) == ["0.1.0", "0.2.0"]
    assert {image["artifactMediaType"] for image in images} == {"application/vnd.cncf.helm.config.v1+json"}
    whole = f"{place}/{chart}"
    helm.run("pull", whole, "--version", "0.1.0", "--plain-http", "--untar", "--untardir", "back")
    assert (tmp_path / "back" / chart / "values.yaml").read_text() == (tmp_path / chart / "values.yaml").read_text()
    # Without a version the newest tag is found in the list of tags.
    assert "version: 0.2.0" in helm.run("show", "chart", whole, "--plain-http").stdout
    assert "kind: Deployment" in helm.run("template", "release", whole, "--version", "^0.1.0", "--plain-http").stdout
    missing = helm.run("pull", whole, "--version", "9.9.9", "--plain-http", check=False)
    assert missing.returncode != 0 and "not found" in missing.stderr, missing.stderr
    helm.run("registry", "logout", region.registry)


def oras_client(region, login):
    client = pytest.importorskip("oras.client")
    made = client.OrasClient(hostname=region.registry, insecure=True, auth_backend="basic")
    made.auth.set_basic_auth(*login)
    return made


@pytest.mark.parametrize("chunk", [None, 1000])
def test_oras_pushes_and_pulls_files(ecr, region, repository, login, tmp_path, monkeypatch, chunk):
    monkeypatch.chdir(tmp_path)
    content = os.urandom(25_000)
    Path("weights.bin").write_bytes(content)
    Path("notes").mkdir()
    Path("notes/one.txt").write_text("one")
    oras = oras_client(region, login)
    target = f"{region.registry}/{repository}:v1"
    how = {"do_chunked": True, "chunk_size": chunk} if chunk else {}
    answer = oras.push(target=target, files=["weights.bin:application/vnd.example.weights", "notes"],
                       manifest_annotations={"org.example.kind": "model"}, quiet=True, **how)
    assert answer.status_code in (200, 201)
    [image] = ecr.describe_images(repositoryName=repository)["imageDetails"]
    assert image["imageTags"] == ["v1"] and image["imageSizeInBytes"] > len(content)
    assert oras.get_tags(target) == ["v1"]
    manifest = oras.get_manifest(target)
    assert manifest["annotations"]["org.example.kind"] == "model"
    assert manifest["layers"][0]["mediaType"] == "application/vnd.example.weights"
    pulled = oras.pull(target=target, outdir="back")
    assert len(pulled) == 2 and Path("back/weights.bin").read_bytes() == content
    assert Path("back/notes/one.txt").read_text() == "one"


def test_oras_attaches_to_a_subject(ecr, region, repository, login, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    registry = Registry(region, repository)
    image = registry.push_image("v1")
    size = len(registry.call("GET", "/manifests/v1", headers={"Accept": OCI})[2])
    oras = oras_client(region, login)
    Path("sbom.json").write_text("{}")
    from oras.oci import Subject

    oras.push(target=f"{region.registry}/{repository}:sbom", files=["sbom.json:application/spdx+json"], quiet=True,
              subject=Subject(mediaType=OCI, digest=image, size=size))
    found = json.loads(registry.call("GET", f"/referrers/{image}")[2])["manifests"]
    [tagged] = [i for i in ecr.describe_images(repositoryName=repository)["imageDetails"] if i.get("imageTags") == ["sbom"]]
    assert [entry["digest"] for entry in found] == [tagged["imageDigest"]]
    assert tagged["subjectManifestDigest"] == image


class Buildah:
    """The buildah program with storage of its own."""

    def __init__(self, home):
        if not shutil.which("buildah") or os.geteuid() != 0:
            pytest.skip("buildah is not installed, or this is not root")
        self.home = home
        self.flags = ["--storage-driver", "vfs", "--root", f"{home}/root", "--runroot", f"{home}/run"]
        (home / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
        (home / "registries.conf").write_text("")
        self.environment = {**os.environ, "REGISTRY_AUTH_FILE": f"{home}/auth.json", "TMPDIR": str(home),
                            "CONTAINERS_REGISTRIES_CONF": f"{home}/registries.conf", "BUILDAH_ISOLATION": "chroot"}

    def run(self, command, *arguments, check=True, **more):
        policy = ["--signature-policy", f"{self.home}/policy.json"] if command in ("build", "commit", "push", "pull") else []
        whole = ["buildah", *self.flags, command, *policy, *arguments]
        done = subprocess.run(whole, capture_output=True, text=True, timeout=120, env=self.environment, cwd=self.home, **more)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout.strip()


def test_buildah_builds_pushes_and_pulls(ecr, region, repository, login, tmp_path):
    buildah = Buildah(tmp_path)
    user, password = login
    plain = "--tls-verify=false"
    buildah.run("login", plain, "-u", user, "--password-stdin", region.registry, input=password)
    (tmp_path / "root.tar").write_bytes(busybox_layer())
    (tmp_path / "Containerfile").write_text('FROM scratch\nADD root.tar /\nENV PATH=/bin\nCMD ["echo", "of buildah"]\n')
    name = f"{region.registry}/{repository}"
    digests = {}
    for tag, form in (("oci", "oci"), ("docker", "docker")):
        buildah.run("build", "--format", form, "-t", f"{name}:{tag}", ".")
        buildah.run("push", plain, "--digestfile", "digest", f"{name}:{tag}")
        digests[tag] = (tmp_path / "digest").read_text()
    images = {image["imageTags"][0]: image for image in ecr.describe_images(repositoryName=repository)["imageDetails"]}
    assert {tag: image["imageDigest"] for tag, image in images.items()} == digests
    assert images["oci"]["imageManifestMediaType"] == OCI
    assert images["docker"]["imageManifestMediaType"] == "application/vnd.docker.distribution.manifest.v2+json"
    # A list of both, pushed with all it names, and pulled from an empty storage.
    buildah.run("manifest", "create", "both")
    for tag in digests:
        buildah.run("manifest", "add", plain, "both", f"docker://{name}:{tag}")
    buildah.run("manifest", "push", plain, "--all", "both", f"docker://{name}:both")
    [listed] = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": "both"}])["imageDetails"]
    assert listed["imageManifestMediaType"] == INDEX or "list" in listed["imageManifestMediaType"]
    assert listed["imageSizeInBytes"] == max(images[tag]["imageSizeInBytes"] for tag in digests)
    for image in ("oci", "docker"):
        buildah.run("rmi", "-f", f"{name}:{image}")
    buildah.run("rmi", "-a", "-f")
    pulled = buildah.run("pull", plain, f"{name}@{digests['oci']}")
    inspected = json.loads(buildah.run("inspect", "--type", "image", pulled))
    assert inspected["OCIv1"]["config"]["Cmd"] == ["echo", "of buildah"]
    buildah.run("logout", region.registry)


def push_artifact(registry, reference, layer, **more):
    """Pushes a manifest of one layer, which is a pair of media type and content; returns the digest and the headers."""
    media_type, content = layer
    for blob in (content, b"{}"):
        registry.push_blob(blob)
    manifest = {"schemaVersion": 2, "mediaType": OCI, "config": EMPTY,
                "layers": [{"mediaType": media_type, "digest": digest(content), "size": len(content)}], **more}
    body = json.dumps(manifest).encode()
    status, headers, answer = registry.call("PUT", f"/manifests/{reference or digest(body)}", body, {"Content-Type": OCI})
    assert status == 201, answer
    return digest(body), headers


def subject_of(registry, tag):
    status, headers, body = registry.call("GET", f"/manifests/{tag}", headers={"Accept": f"{OCI},{INDEX}"})
    assert status == 200
    return {"mediaType": headers["Content-Type"], "digest": headers["Docker-Content-Digest"], "size": len(body)}


def test_the_requests_of_cosign(region, repository):
    """Signature, attestation and SBOM under tags that are made of the image's digest, which is how cosign keeps them."""
    registry = Registry(region, repository)
    image = registry.push_image("v1")
    payload = json.dumps({"critical": {"identity": {"docker-reference": repository}, "image": {"docker-manifest-digest": image},
                                       "type": "cosign container image signature"}, "optional": None}).encode()
    kinds = {"sig": ("application/vnd.dev.cosign.simplesigning.v1+json", payload),
             "att": ("application/vnd.dsse.envelope.v1+json", b'{"payloadType":"application/vnd.in-toto+json"}'),
             "sbom": ("spdx+json", b'{"spdxVersion":"SPDX-2.3"}')}
    for suffix, layer in kinds.items():
        tag = f"{image.replace(':', '-')}.{suffix}"
        assert registry.call("GET", f"/manifests/{tag}")[0] == 404
        pushed, _ = push_artifact(registry, tag, layer)
        status, headers, body = registry.call("GET", f"/manifests/{tag}", headers={"Accept": OCI})
        assert status == 200 and headers["Docker-Content-Digest"] == pushed
        [kept] = json.loads(body)["layers"]
        assert registry.call("GET", f"/blobs/{kept['digest']}")[2] == layer[1]
    # A second signature: the manifest is read, and the tag moves to one with both.
    tag = f"{image.replace(':', '-')}.sig"
    signed = json.loads(registry.call("GET", f"/manifests/{tag}")[2])
    second = b'{"second":true}'
    registry.push_blob(second)
    signed["layers"].append({"mediaType": kinds["sig"][0], "digest": digest(second), "size": len(second),
                             "annotations": {"dev.cosignproject.cosign/signature": "MEUCIQ=="}})
    registry.push_manifest(tag, signed)
    assert len(json.loads(registry.call("GET", f"/manifests/{tag}")[2])["layers"]) == 2
    tags = json.loads(registry.call("GET", "/tags/list")[2])["tags"]
    assert tags == sorted(["v1", *(f"{image.replace(':', '-')}.{suffix}" for suffix in kinds)])


@pytest.mark.parametrize("signer", [
    ("application/vnd.cncf.notary.signature", "application/jose+json",
     {"io.cncf.notary.x509chain.thumbprint#S256": '["0123"]'}),
    ("application/vnd.dev.cosign.artifact.sig.v1+json", "application/vnd.dev.cosign.simplesigning.v1+json", {}),
])
def test_signatures_that_refer_to_their_image(ecr, region, repository, signer):
    """The requests of notation, and of cosign where it uses referrers; of `notation list` and `cosign tree`, too."""
    artifact_type, media_type, annotations = signer
    registry = Registry(region, repository)
    image = registry.push_image("v1")
    signature, headers = push_artifact(registry, None, (media_type, b"signed"), subject=subject_of(registry, "v1"),
                                       artifactType=artifact_type, annotations=annotations)
    # The header says that the registry keeps referrers: such a client does not push the tag that stands in for it.
    assert headers["OCI-Subject"] == image
    status, headers, body = registry.call("GET", f"/referrers/{image}?artifactType={artifact_type.replace('+', '%2B')}")
    assert (status, headers["OCI-Filters-Applied"]) == (200, "artifactType")
    [entry] = json.loads(body)["manifests"]
    assert (entry["digest"], entry["artifactType"]) == (signature, artifact_type)
    assert entry.get("annotations", {}) == annotations
    assert json.loads(registry.call("GET", f"/referrers/{image}?artifactType=other")[2])["manifests"] == []
    [told] = ecr.list_image_referrers(repositoryName=repository, subjectId={"imageDigest": image})["referrers"]
    assert (told["digest"], told["artifactType"]) == (signature, artifact_type)
    # What is removed is removed from the list.
    assert registry.call("DELETE", f"/manifests/{signature}")[0] == 202
    assert json.loads(registry.call("GET", f"/referrers/{image}")[2])["manifests"] == []


def test_the_tag_that_stands_in_for_referrers(region, repository):
    """What `oras attach` does with a registry without referrers is taken as well: an index under the subject's digest."""
    registry = Registry(region, repository)
    registry.push_image("v1")
    subject = subject_of(registry, "v1")
    tag = subject["digest"].replace(":", "-")
    entries = []
    for number in range(3):
        attached, _ = push_artifact(registry, None, ("text/plain", b"%d" % number), subject=subject, artifactType="text/plain")
        size = subject_of(registry, attached)["size"]
        entries.append({"mediaType": OCI, "digest": attached, "size": size, "artifactType": "text/plain"})
        registry.push_manifest(tag, {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}, INDEX)
    status, headers, body = registry.call("GET", f"/manifests/{tag}", headers={"Accept": INDEX})
    assert (status, headers["Content-Type"]) == (200, INDEX) and json.loads(body)["manifests"] == entries
    found = json.loads(registry.call("GET", f"/referrers/{subject['digest']}")[2])["manifests"]
    assert sorted(entry["digest"] for entry in found) == sorted(entry["digest"] for entry in entries)


def test_a_chart_by_hand_is_what_helm_pushes(ecr, region, repository, tmp_path):
    """The media types of a chart with its provenance, without the helm program."""
    registry = Registry(region, repository)
    chart = tmp_path / "chart.tgz"
    (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: app\nversion: 1.0.0\n")
    with tarfile.open(chart, "w:gz") as archive:
        archive.add(tmp_path / "Chart.yaml", "app/Chart.yaml")
    config = b'{"name":"app","version":"1.0.0","apiVersion":"v2"}'
    layers = [("application/vnd.cncf.helm.chart.content.v1.tar+gzip", chart.read_bytes()),
              ("application/vnd.cncf.helm.chart.provenance.v1.prov", b"-----BEGIN PGP SIGNED MESSAGE-----")]
    for content in (config, *(content for _, content in layers)):
        registry.push_blob(content)
    registry.push_manifest("1.0.0", {
        "schemaVersion": 2,
        "config": {"mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": digest(config), "size": len(config)},
        "layers": [{"mediaType": kind, "digest": digest(content), "size": len(content)} for kind, content in layers],
    })
    [image] = ecr.describe_images(repositoryName=repository)["imageDetails"]
    assert image["artifactMediaType"] == "application/vnd.cncf.helm.config.v1+json"
