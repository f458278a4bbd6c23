"""Vulnerability scanning with boto3 and the aws CLI: real dpkg databases and binaries, real advisories, real bombs."""

import http.server
import io
import json
import os
import shutil
import ssl
import subprocess
import tarfile
import threading
import uuid
import zipfile
import zlib
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, WaiterError
from conftest import ROOT, Region, program
from images import Registry
from waiting import wait_for

DATA = ROOT / "crates/logic/vulnerabilities/tests/data"
TRACKER = DATA / "debian-tracker-extract.json"
RUSTSEC = DATA / "RUSTSEC-2020-0071.md"

# What Debian shipped then, and ships now.
OLD = {"8": {"txt2man": "1.5.5-2", "backupninja": "0.7-1"}, "10": {"chromium": "90.0.4430.212-1~deb10u1"},
       "11": {"chromium": "97.0.4692.99-1~deb11u2"}}
CURRENT = {"8": {"txt2man": "1.5.5-4.1", "backupninja": "1.0.1-1"}, "11": {"chromium": "120.0.6099.224-1~deb11u1"},
           "12": {"chromium": "120.0.6099.224-1~deb12u1", "sope": "5.8.0-1+deb12u1"}}


@pytest.fixture(scope="module")
def server():
    region = Region("--no-host")
    yield region
    region.close()


@pytest.fixture(scope="module")
def ecr(server):
    return server.client("ecr")


@pytest.fixture
def repository(ecr):
    name = f"scan-{uuid.uuid4().hex[:8]}"
    ecr.create_repository(repositoryName=name, imageScanningConfiguration={"scanOnPush": True})
    return name


def longshore(region, *arguments, fails=False):
    command = [program(), *arguments, "--data-dir", region.data_dir]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (done.returncode != 0) == fails, done.stderr
    return done.stderr if fails else done.stdout


def layer(files):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.mode = 0o755
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return raw.getvalue()


def debian(release, packages):
    status = "".join(f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n\n"
                     for name, version in packages.items())
    return {"etc/os-release": f"ID=debian\nVERSION_ID={release}\n".encode(), "var/lib/dpkg/status": status.encode()}


def code(error):
    return error.value.response["Error"]["Code"]


def scanned(ecr, repository, tag):
    """Waits until the image's scan came to an end."""
    def ended():
        try:
            found = ecr.describe_image_scan_findings(repositoryName=repository, imageId={"imageTag": tag})
        except ecr.exceptions.ScanNotFoundException:
            return None
        return found if found["imageScanStatus"]["status"] not in ("PENDING", "IN_PROGRESS") else None
    return wait_for(ended, f"the scan of {repository}:{tag}")


def test_without_data_a_scan_fails_and_is_made_up_for(own_region):
    ecr = own_region.client("ecr")
    ecr.create_repository(repositoryName="app", imageScanningConfiguration={"scanOnPush": True})
    Registry(own_region, "app").push_image("v1", layer(debian("10", OLD["10"])))
    found = scanned(ecr, "app", "v1")
    assert found["imageScanStatus"]["status"] == "FAILED"
    assert "No vulnerability data" in found["imageScanStatus"]["description"]
    assert "imageScanFindings" not in found
    assert "No vulnerability data was ever imported" in longshore(own_region, "vulnerabilities", "status")
    assert "no OSV document" in longshore(own_region, "vulnerabilities", "import", __file__, fails=True)
    assert "5 added" in longshore(own_region, "vulnerabilities", "import", str(TRACKER))
    wait_for(lambda: scanned(ecr, "app", "v1")["imageScanStatus"]["status"] == "COMPLETE", "the scan that data allows")
    assert scanned(ecr, "app", "v1")["imageScanFindings"]["findings"][0]["name"] == "CVE-2022-0456"
    status = longshore(own_region, "vulnerabilities", "status")
    assert "debian-security-tracker" in status and "Debian:10" in status


@pytest.fixture(scope="module", autouse=True)
def data(server):
    longshore(server, "vulnerabilities", "import", str(TRACKER), str(RUSTSEC))


def test_an_old_debian_has_its_known_vulnerabilities_and_a_current_one_none(ecr, server, repository):
    registry = Registry(server, repository)
    expected = {"8": {"CVE-2013-1444", "CVE-2005-3111"}, "10": {"CVE-2022-0456"}, "11": {"CVE-2022-0456"}}
    for release, packages in OLD.items():
        registry.push_image(f"old-{release}", layer(debian(release, packages)))
        found = scanned(ecr, repository, f"old-{release}")
        assert found["imageScanStatus"] == {"status": "COMPLETE",
                                            "description": "The scan was completed successfully."}
        findings = found["imageScanFindings"]["findings"]
        assert {finding["name"] for finding in findings} == expected[release]
    finding = findings[0]
    attributes = {attribute["key"]: attribute["value"] for attribute in finding["attributes"]}
    assert attributes == {"package_name": "chromium", "package_version": "97.0.4692.99-1~deb11u2",
                          "fixed_in_version": "98.0.4758.80-1~deb11u1"}
    assert finding["uri"] == "https://security-tracker.debian.org/tracker/CVE-2022-0456"
    for release, packages in CURRENT.items():
        registry.push_image(f"current-{release}", layer(debian(release, packages)))
        found = scanned(ecr, repository, f"current-{release}")
        assert found["imageScanStatus"]["status"] == "COMPLETE"
        assert found["imageScanFindings"]["findings"] == []
    details = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": "old-8"}])["imageDetails"][0]
    assert details["imageScanStatus"]["status"] == "COMPLETE"
    assert details["imageScanFindingsSummary"]["findingSeverityCounts"] == {"LOW": 1, "MEDIUM": 1}


def test_this_machine_as_an_image(ecr, server, repository):
    status, release = Path("/var/lib/dpkg/status"), Path("/etc/os-release")
    if not status.exists() or "ID=debian" not in release.read_text():
        pytest.skip("this machine is no Debian")
    files = {"etc/os-release": release.read_bytes(), "var/lib/dpkg/status": status.read_bytes()}
    Registry(server, repository).push_image("v1", layer(files))
    found = scanned(ecr, repository, "v1")
    assert found["imageScanStatus"]["status"] == "COMPLETE"
    names = {finding["name"] for finding in found["imageScanFindings"]["findings"]}
    assert names <= {"CVE-2022-0456", "CVE-2025-53603"}


def test_scans_by_request(ecr, server, repository):
    ecr.put_image_scanning_configuration(repositoryName=repository, imageScanningConfiguration={"scanOnPush": False})
    digest = Registry(server, repository).push_image("v1", layer(debian("8", OLD["8"])))
    image = {"repositoryName": repository, "imageId": {"imageTag": "v1"}}
    with pytest.raises(ClientError) as error:
        ecr.describe_image_scan_findings(**image)
    assert code(error) == "ScanNotFoundException"
    assert "imageScanStatus" not in ecr.describe_images(repositoryName=repository)["imageDetails"][0]
    started = ecr.start_image_scan(**image)
    assert started["imageId"] == {"imageDigest": digest, "imageTag": "v1"}
    assert started["imageScanStatus"]["status"] == "IN_PROGRESS"
    ecr.get_waiter("image_scan_complete").wait(**image, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    with pytest.raises(ClientError) as error:
        ecr.start_image_scan(**image)
    assert code(error) == "LimitExceededException"
    assert "scan quota per image" in str(error.value)
    pages = ecr.get_paginator("describe_image_scan_findings").paginate(**image, PaginationConfig={"PageSize": 1})
    pages = [page["imageScanFindings"]["findings"] for page in pages]
    assert [page[0]["severity"] for page in pages] == ["MEDIUM", "LOW"]
    for bad, expected in [({"nextToken": "x"}, "InvalidParameterException"),
                          ({"imageId": {"imageTag": "no"}}, "ImageNotFoundException"),
                          ({"repositoryName": "no"}, "RepositoryNotFoundException")]:
        with pytest.raises(ClientError) as error:
            ecr.describe_image_scan_findings(**{**image, **bad})
        assert code(error) == expected
    answer = server.aws("ecr", "describe-image-scan-findings", "--repository-name", repository,
                        "--image-id", f"imageDigest={digest}")
    assert answer["imageScanFindings"]["findingSeverityCounts"] == {"LOW": 1, "MEDIUM": 1}
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}
    Registry(server, repository).push_manifest("all", index, index["mediaType"])
    with pytest.raises(ClientError) as error:
        ecr.start_image_scan(repositoryName=repository, imageId={"imageTag": "all"})
    assert code(error) == "UnsupportedImageTypeException"


@pytest.fixture
def web(tmp_path):
    """Serves a folder by HTTP and HTTPS; a path below /moved leads from the one to the other."""
    folder = tmp_path / "web"
    folder.mkdir()
    certificate, key = tmp_path / "web.pem", tmp_path / "web.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-keyout", str(key), "-out", str(certificate), "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                    "-addext", "basicConstraints=critical,CA:FALSE"],
                   check=True, capture_output=True)
    moved = {}

    class Files(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=folder)

        def do_GET(self):
            if self.path.startswith("/moved/"):
                self.send_response(302)
                self.send_header("Location", moved[self.server.server_port] + self.path.removeprefix("/moved"))
                self.end_headers()
            elif self.path.startswith("/cut/"):
                self.send_response(200)
                self.send_header("Content-Length", "1000000")
                self.end_headers()
                self.wfile.write(b"{")
            else:
                super().do_GET()

        def log_message(self, *_):
            pass

    plain, secure = (http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files) for _ in range(2))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    secure.socket = context.wrap_socket(secure.socket, server_side=True)
    urls = [f"http://localhost:{plain.server_port}", f"https://localhost:{secure.server_port}"]
    moved[plain.server_port], moved[secure.server_port] = urls[1], urls[0]
    threads = [threading.Thread(target=server.serve_forever) for server in (plain, secure)]
    for thread in threads:
        thread.start()
    yield folder, urls, {**os.environ, "SSL_CERT_FILE": str(certificate)}
    for server, thread in zip((plain, secure), threads):
        server.shutdown()
        thread.join()
        server.server_close()


def test_data_is_imported_from_the_web(web, tmp_path):
    folder, (plain, secure), trusting = web
    (folder / "tracker.json").write_bytes(TRACKER.read_bytes())
    with zipfile.ZipFile(folder / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("GHSA-2.json", json.dumps(osv("GHSA-2", "PyPI", "flask", "1.0")))

    def imported(*urls, env=trusting):
        command = [program(), "vulnerabilities", "import", *urls, "--data-dir", str(tmp_path / "data")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=env)
        return done.returncode, done.stdout + done.stderr

    status, text = imported(f"{plain}/tracker.json")
    assert status == 0 and "5 added" in text, text
    status, text = imported(f"{secure}/all.zip")
    assert status == 0 and "1 added" in text, text
    # From HTTP one may be led to HTTPS, and never back.
    status, text = imported(f"{plain}/moved/tracker.json")
    assert status == 0 and "6 unchanged" in text, text
    for url, said in [(f"{secure}/moved/tracker.json", "a redirect from https"), (f"{plain}/none.json", "404"),
                      (f"{plain}/cut/tracker.json", "download"), ("http://127.0.0.1:1/x", "download")]:
        status, text = imported(url)
        assert status != 0 and said in text, text
    status, text = imported(f"{secure}/all.zip", env=os.environ)
    assert status != 0 and "certificate" in text.lower(), text
    assert "Debian:11" in subprocess.run([program(), "vulnerabilities", "status", "--data-dir", str(tmp_path / "data")],
                                         capture_output=True, text=True, timeout=60).stdout


def osv(identifier, ecosystem, name, fixed, **more):
    events = [{"introduced": "0"}, {"fixed": fixed}]
    return {"id": identifier, "modified": "2024-01-01T00:00:00Z", "summary": f"Flaw of {name}", **more,
            "affected": [{"package": {"ecosystem": ecosystem, "name": name},
                          "ranges": [{"type": "ECOSYSTEM", "events": events}]}]}


def auditable(tmp_path):
    """A real program with the list of crates that cargo auditable adds."""
    crates = {"packages": [{"name": "app", "version": "0.1.0", "source": "local", "root": True},
                           {"name": "time", "version": "0.1.44", "source": "crates.io"}]}
    (tmp_path / "list").write_bytes(zlib.compress(json.dumps(crates).encode()))
    section = f".dep-v0={tmp_path / 'list'}"
    subprocess.run(["objcopy", "--add-section", section, "/bin/busybox", str(tmp_path / "app")], check=True)
    return (tmp_path / "app").read_bytes()


def test_enhanced_scans_follow_the_data(server, tmp_path):
    region = Region("--no-host")
    try:
        ecr = region.client("ecr")
        rules = [{"scanFrequency": "CONTINUOUS_SCAN", "repositoryFilters": [{"filter": "prod*",
                                                                            "filterType": "WILDCARD"}]}]
        put = ecr.put_registry_scanning_configuration(scanType="ENHANCED", rules=rules)
        assert put["registryScanningConfiguration"] == {"scanType": "ENHANCED", "rules": rules}
        assert ecr.get_registry_scanning_configuration()["scanningConfiguration"]["rules"] == rules
        for name in ["prod-app", "test-app"]:
            ecr.create_repository(repositoryName=name)
        settings = ecr.batch_get_repository_scanning_configuration(repositoryNames=["prod-app", "test-app", "none"])
        assert [one["scanFrequency"] for one in settings["scanningConfigurations"]] == ["CONTINUOUS_SCAN", "MANUAL"]
        assert settings["scanningConfigurations"][0]["appliedScanFilters"][0]["filter"] == "prod*"
        assert settings["failures"][0]["failureCode"] == "REPOSITORY_NOT_FOUND"
        feed = tmp_path / "feed"
        feed.mkdir()
        vector = [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]
        document = osv("GHSA-1", "PyPI", "Flask_Login", "0.6.3", aliases=["CVE-2023-1"], severity=vector)
        (feed / "GHSA-1.json").write_text(json.dumps(document))
        longshore(region, "vulnerabilities", "import", str(feed), str(RUSTSEC))
        files = {"etc/os-release": b"ID=debian\nVERSION_ID=12\n", "usr/bin/app": auditable(tmp_path),
                 "usr/lib/python3/flask_login.dist-info/METADATA": b"Name: flask-login\nVersion: 0.6.2\n\n"}
        go = shutil.which("skopeo")
        if go:  # Debian links it without a list of modules, but the version of the standard library is there.
            files["usr/bin/skopeo"] = Path(go).read_bytes()
        digest = Registry(region, "prod-app").push_image("v1", layer(files))
        found = scanned(ecr, "prod-app", "v1")
        assert found["imageScanStatus"]["status"] == "ACTIVE"
        # A continuous scan is never complete, so the waiter gives up, as it does on AWS.
        with pytest.raises(WaiterError, match="Max attempts exceeded"):
            ecr.get_waiter("image_scan_complete").wait(repositoryName="prod-app", imageId={"imageTag": "v1"},
                                                       WaiterConfig={"Delay": 1, "MaxAttempts": 2})
        findings = found["imageScanFindings"]["enhancedFindings"]
        assert [one["packageVulnerabilityDetails"]["vulnerabilityId"] for one in findings] == [
            "CVE-2023-1", "CVE-2020-26235"]
        first = findings[0]
        assert (first["severity"], first["score"], first["fixAvailable"]) == ("CRITICAL", 9.8, "YES")
        package = first["packageVulnerabilityDetails"]["vulnerablePackages"][0]
        assert package["name"] == "flask-login" and package["packageManager"] == "PYTHONPKG"
        assert package["fixedInVersion"] == "0.6.3" and package["sourceLayerHash"].startswith("sha256:")
        assert first["resources"][0]["details"]["awsEcrContainerImage"]["imageHash"] == digest
        assert found["imageScanFindings"]["findingSeverityCounts"] == {"CRITICAL": 1, "MEDIUM": 1}
        if go:  # Debian links it without a list of modules, but the version of the standard library is there.
            document = osv("GO-1", "Go", "stdlib", "999.0.0")
            (feed / "GO-1.json").write_text(json.dumps(document))
        (feed / "GHSA-1.json").write_text(json.dumps({**osv("GHSA-1", "PyPI", "x", "1"),
                                                      "withdrawn": "2024-02-01T00:00:00Z"}))
        assert "1 removed" in longshore(region, "vulnerabilities", "import", str(feed))
        expected = {"GO-1", "CVE-2020-26235"} if go else {"CVE-2020-26235"}

        def names():
            shown = scanned(ecr, "prod-app", "v1")["imageScanFindings"]["enhancedFindings"]
            return {one["packageVulnerabilityDetails"]["vulnerabilityId"] for one in shown}
        wait_for(lambda: names() == expected, "the scan with the new data")
        for bad in [{"scanType": "BASIC", "rules": rules}, {"scanType": "ENHANCED", "rules": rules * 2}]:
            with pytest.raises(ClientError) as error:
                ecr.put_registry_scanning_configuration(**bad)
            assert code(error) == "InvalidParameterException"
    finally:
        region.close()


def test_what_cannot_be_scanned_says_why(ecr, server, repository):
    registry = Registry(server, repository)
    bomb = b"PK"
    for _ in range(8):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("inner.jar", bomb)
        bomb = packed.getvalue()
    registry.push_image("bomb", layer({"app.jar": bomb}))
    found = scanned(ecr, repository, "bomb")
    assert found["imageScanStatus"]["status"] == "LIMIT_EXCEEDED"
    assert "archives within each other" in found["imageScanStatus"]["description"]
    registry.push_image("empty", layer({"bin/x": b"x"}))
    assert scanned(ecr, repository, "empty")["imageScanStatus"]["status"] == "UNSUPPORTED_IMAGE"
    registry.push_image("damaged", b"no tar stream" * 100)
    assert scanned(ecr, repository, "damaged")["imageScanStatus"]["status"] == "UNSUPPORTED_IMAGE"
    registry.push_image("other", layer({**debian("10", OLD["10"]), "etc/os-release": b"ID=plan9\nVERSION_ID=4\n"}))
    status = scanned(ecr, repository, "other")["imageScanStatus"]
    assert status["status"] == "UNSUPPORTED_IMAGE"
    assert "There is no vulnerability data for plan9 4 (1 package)" in status["description"]


def test_bills_of_materials(server, ecr, repository, tmp_path):
    files = {**debian("11", OLD["11"]), "usr/bin/app": auditable(tmp_path),
             "web/node_modules/@babel/core/package.json": b'{"name": "@babel/core", "version": "7.0.0"}'}
    digest = Registry(server, repository).push_image("v1", layer(files))
    text = longshore(server, "registry", "sbom", f"{repository}:v1", "--format", "cyclonedx", "--attach")
    document = json.loads(text)
    purls = {component.get("purl") for component in document["components"]}
    assert purls >= {"pkg:deb/debian/chromium@97.0.4692.99-1~deb11u2?arch=amd64&distro=debian-11",
                     "pkg:npm/%40babel/core@7.0.0", "pkg:cargo/time@0.1.44"}
    output = tmp_path / "sbom.spdx.json"
    longshore(server, "registry", "sbom", f"{repository}@{digest}", "--format", "spdx", "-o", str(output), "--attach")
    status, _, body = Registry(server, repository).call("GET", f"/referrers/{digest}")
    kinds = {manifest["artifactType"] for manifest in json.loads(body)["manifests"]}
    assert status == 200 and kinds == {"application/vnd.cyclonedx+json", "application/spdx+json"}
    assert "no such repository" in longshore(server, "registry", "sbom", "none:v1", fails=True)

    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    assert wrong is None, wrong
    from spdx_tools.spdx.parser.parse_anything import parse_file
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document
    assert validate_full_spdx_document(parse_file(str(output))) == []
