"""What happened in the registry and how large it is, as the program tells it; and all metrics of the registry."""

import json
import signal
import subprocess
import urllib.request

import pytest
from conftest import Region, program
from images import Registry
from waiting import wait_for


@pytest.fixture(scope="module")
def server():
    region = Region("--no-host")
    yield region
    region.close()


@pytest.fixture(scope="module")
def image(server):
    """The digest of the image of the repository `team/app`."""
    server.client("ecr").create_repository(repositoryName="team/app")
    server.client("ecr").create_repository(repositoryName="empty")
    return Registry(server, "team/app").push_image("v1")


def events(server, *arguments):
    done = server.cli("registry", "events", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_events_have_the_shape_of_eventbridge(server, image):
    registry = Registry(server, "team/app")
    gone = registry.push_image("gone", Cmd=["other"])
    assert registry.call("DELETE", f"/manifests/{gone}")[0] == 202
    assert registry.call("GET", "/manifests/v1")[0] == 200
    pushed = [e for e in events(server, "--repository", "team/app") if e["detail"].get("action-type") == "PUSH"]
    first = pushed[0]
    assert first["detail"] == {
        "result": "SUCCESS", "repository-name": "team/app", "image-digest": image, "action-type": "PUSH", "image-tag": "v1",
        "manifest-media-type": "application/vnd.oci.image.manifest.v1+json",
        "artifact-media-type": "application/vnd.oci.image.config.v1+json"}
    assert {name: first[name] for name in ("version", "detail-type", "source", "account", "region", "resources")} == {
        "version": "0", "detail-type": "ECR Image Action", "source": "aws.ecr", "account": "123456789012",
        "region": "us-east-1", "resources": []}
    # Pulls are written down every few seconds.
    def kinds():
        return {(e["detail"]["action-type"], e["detail"]["image-digest"]) for e in events(server, "--since", "1h")}

    wait_for(lambda: kinds() >= {("PUSH", image), ("PUSH", gone), ("DELETE", gone), ("PULL", image)}, lambda: f"events in {kinds()}", 60)
    assert events(server, "--repository", "other") == []
    assert events(server, "--since", "2999-01-01T00:00:00Z") == []
    shown = server.cli("registry", "events").stdout.splitlines()
    assert any(line.endswith(f"PUSH       team/app:v1@{image}") for line in shown), shown
    refused = server.cli("registry", "events", "--since", "yesterday")
    assert refused.returncode == 2 and "10m" in refused.stderr


def test_events_are_followed(server, image):
    command = [program(), "registry", "events", "--follow", "--json", "--since", "1h", "--data-dir", server.data_dir]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as follower:
        try:
            assert json.loads(follower.stdout.readline())["detail"]["image-tag"] == "v1"
            for number in range(3):
                Registry(server, "team/app").push_image(f"more-{number}", Cmd=[str(number)])
            seen = []
            while "more-2" not in seen:
                seen.append(json.loads(follower.stdout.readline())["detail"].get("image-tag"))
            # Each once, however often the program looks.
            assert [tag for tag in seen if tag and tag.startswith("more-")] == ["more-0", "more-1", "more-2"]
            follower.send_signal(signal.SIGINT)
            assert follower.wait(timeout=20) == 0
        finally:
            follower.kill()


def test_sizes_of_repositories(server, image):
    told = json.loads(server.cli("registry", "ls", "--json").stdout)
    by_name = {repository["repository"]: repository for repository in told["repositories"]}
    app, empty = by_name["123456789012/team/app"], by_name["123456789012/empty"]
    assert app["images"] >= 1 and app["tags"] >= 1 and app["bytes"] > 500_000
    assert (empty["images"], empty["tags"], empty["bytes"]) == (0, 0, 0)
    assert told["blobs"] >= 2 and told["blob_bytes"] < app["bytes"]
    # A blob that several repositories have is counted in each of them and stored once.
    server.client("ecr").create_repository(repositoryName="team/copy")
    Registry(server, "team/copy").push_image("v1")
    again = json.loads(server.cli("registry", "du", "--json").stdout)
    assert (again["blobs"], again["blob_bytes"]) == (told["blobs"], told["blob_bytes"])
    assert sum(repository["bytes"] for repository in again["repositories"]) > app["bytes"] + 500_000
    table = server.cli("registry", "ls").stdout
    assert "123456789012/team/app" in table and "MiB" in table and "blobs of" in table


def test_all_metrics(server, image):
    registry = Registry(server, "team/app")
    assert registry.call("GET", "/manifests/none")[0] == 404
    assert registry.call("POST", "/blobs/uploads/", b"")[0] == 202
    registry.call("GET", "/manifests/v1")
    assert server.cli("registry", "collect").returncode == 0
    with urllib.request.urlopen(f"{server.endpoint}/_longshore/metrics", timeout=10) as answer:
        text = answer.read().decode()
    values = {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if not line.startswith("#")}
    counted = ["requests_total{kind=\"manifest\",method=\"GET\",status=\"4xx\"}", "errors_total{code=\"MANIFEST_UNKNOWN\"}",
               "pushes_total", "pulls_total", "received_bytes_total", "repositories", "images", "tags", "repository_bytes",
               "blobs", "blob_bytes", "open_uploads", "collected_runs_total", "last_collection_timestamp_seconds",
               "request_duration_seconds_bucket{kind=\"manifest\",le=\"+Inf\"}", "request_duration_seconds_count{kind=\"upload\"}"]
    for name in counted:
        assert values[f"longshore_registry_{name}"] > 0, name
    for name in ("sent_bytes_total", "collected_blobs_total", "collected_failures_total", "blob_pulls_total",
                 "pull_through_total{outcome=\"hit\"}"):
        assert f"longshore_registry_{name}" in values, name
    # Each has its type, and none names a repository: whoever reaches the endpoint may read them.
    names = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if not line.startswith("#")}
    typed = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    bare = {name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for name in names}
    assert bare <= typed and "team/app" not in text
