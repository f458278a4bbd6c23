"""The registry with skopeo, podman and bare HTTP, and ECR's image operations with boto3."""

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import uuid

import pytest
from botocore.exceptions import ClientError
from images import Registry, basic, busybox_layer, digest


def name(prefix="repo"):
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def code(error):
    return error.value.response["Error"]["Code"]


@pytest.fixture
def repository(ecr):
    made = name("team/app")
    ecr.create_repository(repositoryName=made)
    return made


def test_repository_life(ecr, region):
    repo = name("a/b")
    made = ecr.create_repository(repositoryName=repo, tags=[{"Key": "k", "Value": "v"}])["repository"]
    assert made["repositoryUri"] == f"123456789012.dkr.ecr.us-east-1.localhost:{region.port}/{repo}"
    with pytest.raises(ClientError) as error:
        ecr.create_repository(repositoryName=repo)
    assert code(error) == "RepositoryAlreadyExistsException"
    assert ecr.describe_repositories(repositoryNames=[repo])["repositories"][0]["repositoryArn"] == made["repositoryArn"]
    Registry(region, repo).push_image("v1")
    with pytest.raises(ClientError) as error:
        ecr.delete_repository(repositoryName=repo)
    assert code(error) == "RepositoryNotEmptyException"
    ecr.delete_repository(repositoryName=repo, force=True)
    with pytest.raises(ClientError) as error:
        ecr.describe_repositories(repositoryNames=[repo])
    assert code(error) == "RepositoryNotFoundException"


def test_image_operations(ecr, region, repository):
    registry = Registry(region, repository)
    pushed = registry.push_image("v1")
    registry.push_image("v2", Cmd=["other"])
    listed = ecr.list_images(repositoryName=repository)["imageIds"]
    assert {i["imageTag"] for i in listed} == {"v1", "v2"}
    detail = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": "v1"}])["imageDetails"][0]
    assert detail["imageDigest"] == pushed and detail["imageTags"] == ["v1"] and detail["imageSizeInBytes"] > 0
    got = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}, {"imageTag": "none"}])
    assert digest(got["images"][0]["imageManifest"].encode()) == pushed
    assert got["failures"][0]["failureCode"] == "ImageNotFound"
    deleted = ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}, {"imageDigest": "sha256:" + "0" * 64}])
    assert deleted["imageIds"] and deleted["failures"][0]["failureCode"] == "ImageNotFound"
    with pytest.raises(ClientError) as error:
        ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": "v1"}])
    assert code(error) == "ImageNotFoundException"


def login(ecr):
    return basic(ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"])


@pytest.fixture
def image_dir(tmp_path):
    """An image as skopeo's dir: transport holds it."""
    layer = gzip.compress(busybox_layer(), 1, mtime=0)
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Cmd": ["sh"]},
                         "rootfs": {"type": "layers", "diff_ids": [digest(gzip.decompress(layer))]}}).encode()
    (tmp_path / "version").write_text("Directory Transport Version: 1.1\n")
    for blob in (layer, config):
        (tmp_path / hashlib.sha256(blob).hexdigest()).write_bytes(blob)
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(config), "size": len(config)},
                "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest(layer), "size": len(layer)}]}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    return tmp_path


@pytest.mark.parametrize("host", ["localhost", "123456789012.dkr.ecr.us-east-1.localhost"])
def test_skopeo_pushes_and_pulls(ecr, region, repository, image_dir, tmp_path, host):
    if host != "localhost":
        probe = subprocess.run(["getent", "hosts", host], capture_output=True)
        if probe.returncode != 0:
            pytest.skip("this machine's resolver does not know names below localhost")
    user, password = login(ecr)
    reference = f"docker://{host}:{region.port}/{repository}:v1"
    creds = f"{user}:{password}"
    subprocess.run(["skopeo", "copy", "-q", "--dest-tls-verify=false", "--dest-creds", creds, f"dir:{image_dir}", reference],
                   check=True, timeout=120)
    back = tmp_path / "back"
    subprocess.run(["skopeo", "copy", "-q", "--src-tls-verify=false", "--src-creds", creds, reference, f"dir:{back}"],
                   check=True, timeout=120)
    assert (back / "manifest.json").read_text() == (image_dir / "manifest.json").read_text()
    inspected = subprocess.run(["skopeo", "inspect", "--tls-verify=false", "--creds", creds, reference],
                               check=True, capture_output=True, text=True, timeout=60)
    assert json.loads(inspected.stdout)["RepoTags"] == ["v1"]


@pytest.mark.skipif(shutil.which("podman") is None, reason="podman is not installed")
def test_podman_logs_in(ecr, region, tmp_path):
    user, password = login(ecr)
    done = subprocess.run(["podman", "login", "--tls-verify=false", "-u", user, "--password-stdin", "--authfile",
                           str(tmp_path / "auth.json"), region.registry], input=password, text=True, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "Login Succeeded" in done.stdout


def test_no_credentials_and_wrong_credentials(region, repository):
    registry = Registry(region, repository)
    registry.header = {}
    status, headers, _ = registry.call("GET", "/v2/")
    assert status == 401 and headers["Www-Authenticate"].startswith("Basic")
    registry.header = {"Authorization": "Basic QVdTOm5vbnNlbnNl"}
    assert registry.call("GET", "/tags/list")[0] in (401, 403)


def errors(body):
    return [e["code"] for e in json.loads(body)["errors"]]


def test_digest_that_lies(region, repository):
    registry = Registry(region, repository)
    _, headers, _ = registry.call("POST", "/blobs/uploads/", b"")
    status, _, body = registry.call("PUT", headers["Location"] + "?digest=sha256:" + "0" * 64, b"content")
    assert status == 400 and errors(body) == ["DIGEST_INVALID"]
    assert registry.call("HEAD", "/blobs/sha256:" + "0" * 64)[0] == 404
    status, _, body = registry.call("PUT", "/manifests/sha256:" + "0" * 64, b'{"schemaVersion":2}',
                                    {"Content-Type": "application/vnd.oci.image.manifest.v1+json"})
    assert status == 400


def test_manifest_that_names_missing_blobs(region, repository):
    missing = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "sha256:" + "1" * 64, "size": 1}
    body = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": missing,
                       "layers": []}).encode()
    status, _, answer = Registry(region, repository).call(
        "PUT", "/manifests/v1", body, {"Content-Type": "application/vnd.oci.image.manifest.v1+json"})
    assert status in (400, 404) and errors(answer) == ["MANIFEST_BLOB_UNKNOWN"]


def test_chunked_upload(region, repository):
    registry = Registry(region, repository)
    data = os.urandom(300_000)
    status, headers, _ = registry.call("POST", "/blobs/uploads/", b"")
    location = headers["Location"]
    chunk = lambda start, end: registry.call("PATCH", location, data[start:end], {
        "Content-Range": f"{start}-{end - 1}", "Content-Type": "application/octet-stream"})
    status, headers, _ = chunk(0, 100_000)
    assert status == 202 and headers["Range"] == "0-99999"
    assert chunk(200_000, 300_000)[0] == 416
    status, headers, _ = registry.call("GET", location)
    assert status == 204 and headers["Range"] == "0-99999"
    assert chunk(100_000, 300_000)[0] == 202
    status, headers, _ = registry.call("PUT", f"{location}?digest={digest(data)}", b"")
    assert status == 201 and headers["Docker-Content-Digest"] == digest(data)
    status, headers, body = registry.call("GET", f"/blobs/{digest(data)}", headers={"Range": "bytes=10-19"})
    assert status == 206 and body == data[10:20] and headers["Content-Range"] == "bytes 10-19/300000"
    assert registry.call("GET", f"/blobs/{digest(data)}", headers={"Range": "bytes=300000-"})[0] == 416
    status, headers, body = registry.call("HEAD", f"/blobs/{digest(data)}")
    assert status == 200 and headers["Content-Length"] == "300000" and body == b""


def test_mount_from_another_repository(ecr, region, repository):
    other = name("other")
    ecr.create_repository(repositoryName=other)
    data = os.urandom(1000)
    Registry(region, repository).push_blob(data)
    registry = Registry(region, other)
    assert registry.call("HEAD", f"/blobs/{digest(data)}")[0] == 404
    status, _, _ = registry.call("POST", f"/blobs/uploads/?mount={digest(data)}&from={repository}", b"")
    assert status == 201
    assert registry.call("GET", f"/blobs/{digest(data)}")[2] == data
    status, _, _ = registry.call("POST", f"/blobs/uploads/?mount=sha256:{'2' * 64}&from={repository}", b"")
    assert status == 202


def test_cancelled_upload_and_empty_blob(region, repository):
    registry = Registry(region, repository)
    location = registry.call("POST", "/blobs/uploads/", b"")[1]["Location"]
    assert registry.call("DELETE", location)[0] == 204
    assert registry.call("GET", location)[0] == 404
    assert registry.push_blob(b"") == digest(b"")


def test_tags_and_unknown_names(region, repository):
    registry = Registry(region, repository)
    for tag in ["c", "a", "b"]:
        registry.push_image(tag)
    assert json.loads(registry.call("GET", "/tags/list")[2])["tags"] == ["a", "b", "c"]
    status, headers, body = registry.call("GET", "/tags/list?n=2")
    assert json.loads(body)["tags"] == ["a", "b"] and 'rel="next"' in headers["Link"]
    status, _, body = registry.call("GET", "/manifests/none")
    assert status == 404 and errors(body) == ["MANIFEST_UNKNOWN"]
    status, _, body = Registry(region, name("never")).call("GET", "/tags/list")
    assert status == 404 and errors(body) == ["NAME_UNKNOWN"]
    assert registry.call("PUT", "/manifests/" + "t" * 200, b"{}")[0] in (400, 404)


def test_immutable_tags(ecr, region):
    repo = name()
    ecr.create_repository(repositoryName=repo, imageTagMutability="IMMUTABLE")
    registry = Registry(region, repo)
    registry.push_image("v1")
    body = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}).encode()
    assert registry.call("PUT", "/manifests/v1", body, {"Content-Type": "application/vnd.oci.image.index.v1+json"})[0] == 400
