"""ECR Public: repositories with boto3; images pushed by those who log in, and pulled by everybody."""

import gzip
import hashlib
import json
import shutil
import subprocess
import tomllib
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from conftest import program
from images import basic, busybox_layer, image_documents, write_layout
from tasks import Tasks

OWN = "123456789012"
OCI = "application/vnd.oci.image.manifest.v1+json"


def name(prefix="public"):
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def code(error):
    return error.value.response["Error"]["Code"]


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


@pytest.fixture(scope="module")
def public(region):
    return region.client("ecr-public")


@pytest.fixture(scope="module")
def other(region):
    """Another account of the region, and credentials of its root."""
    account = "3" + f"{uuid.uuid4().int % 10**11:011}"
    done = subprocess.run([program(), "account", "create", "--id", account, "--data-dir", region.data_dir],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    key = tomllib.loads((Path(region.data_dir) / f"root-access-key-{account}.toml").read_text())
    return account, {"aws_access_key_id": key["access_key_id"], "aws_secret_access_key": key["secret_access_key"]}


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    path = tmp_path_factory.mktemp("image") / "layout"
    path.mkdir()
    write_layout(path)
    return f"oci:{path}:latest"


def login(public):
    token = public.get_authorization_token()["authorizationData"]["authorizationToken"]
    return ":".join(basic(token))


def skopeo(*arguments):
    return subprocess.run(["skopeo", *arguments], capture_output=True, text=True, timeout=120)


def push(public, layout, uri):
    done = skopeo("copy", "-q", "--dest-tls-verify=false", "--dest-creds", login(public), layout, f"docker://{uri}")
    assert done.returncode == 0, done.stderr


def upload(public, repository, data, **where):
    there = public.batch_check_layer_availability(repositoryName=repository, layerDigests=[digest(data), "nonsense"], **where)
    assert there["failures"][0]["failureCode"] == "InvalidLayerDigest"
    if there["layers"][0]["layerAvailability"] == "AVAILABLE":
        return
    started = public.initiate_layer_upload(repositoryName=repository, **where)["uploadId"]
    public.upload_layer_part(repositoryName=repository, uploadId=started, partFirstByte=0, partLastByte=len(data) - 1,
                             layerPartBlob=data, **where)
    public.complete_layer_upload(repositoryName=repository, uploadId=started, layerDigests=[digest(data)], **where)


def put(public, repository, tag, **where):
    layer = busybox_layer()
    packed = gzip.compress(layer, 1, mtime=0)
    blob, manifest = image_documents(layer, packed)
    for data in (blob, packed):
        upload(public, repository, data, **where)
    return public.put_image(repositoryName=repository, imageManifest=json.dumps(manifest), imageTag=tag, **where)["image"]["imageId"]


def test_the_life_of_a_repository(public, ecr, region):
    repo = name("team/app")
    made = public.create_repository(
        repositoryName=repo, catalogData={"description": "an app", "operatingSystems": ["Linux"]},
        tags=[{"Key": "team", "Value": "blue"}])
    repository = made["repository"]
    assert made["catalogData"]["operatingSystems"] == ["Linux"]
    assert repository["repositoryArn"] == f"arn:aws:ecr-public::{OWN}:repository/{repo}"
    registry = public.describe_registries()["registries"][0]
    assert registry["registryArn"] == f"arn:aws:ecr-public::{OWN}:registry/{OWN}"
    assert repository["repositoryUri"] == f"{registry['registryUri']}/{repo}"
    assert registry["aliases"][0]["name"] == registry["registryUri"].rsplit("/", 1)[1]
    with pytest.raises(ClientError) as error:
        public.create_repository(repositoryName=repo)
    assert code(error) == "RepositoryAlreadyExistsException"
    # A private one of the same name is another repository.
    ecr.create_repository(repositoryName=repo)
    assert [found["repositoryUri"] for found in ecr.describe_repositories(repositoryNames=[repo])["repositories"]] == [
        f"{OWN}.dkr.ecr.us-east-1.localhost:{region.port}/{repo}"]
    everything = [found["repositoryName"] for page in ecr.get_paginator("describe_repositories").paginate()
                  for found in page["repositories"]]
    assert everything.count(repo) == 1 and not any(":" in found for found in everything)
    ecr.delete_repository(repositoryName=repo)
    names = [found["repositoryName"] for page in public.get_paginator("describe_repositories").paginate()
             for found in page["repositories"]]
    assert repo in names
    arn = repository["repositoryArn"]
    public.tag_resource(resourceArn=arn, tags=[{"Key": "stage", "Value": "test"}])
    public.untag_resource(resourceArn=arn, tagKeys=["team"])
    assert public.list_tags_for_resource(resourceArn=arn)["tags"] == [{"Key": "stage", "Value": "test"}]
    public.put_repository_catalog_data(repositoryName=repo, catalogData={"aboutText": "# About"})
    assert public.get_repository_catalog_data(repositoryName=repo)["catalogData"]["aboutText"] == "# About"
    public.put_registry_catalog_data(displayName="Us")
    assert public.get_registry_catalog_data()["registryCatalogData"]["displayName"] == "Us"
    public.delete_repository(repositoryName=repo)
    with pytest.raises(ClientError) as error:
        public.describe_repositories(repositoryNames=[repo])
    assert code(error) == "RepositoryNotFoundException"


def test_images_through_the_api(public):
    repo = name()
    public.create_repository(repositoryName=repo)
    alias = public.describe_registries()["registries"][0]["aliases"][0]["name"]
    pushed = put(public, repo, "v1")
    with pytest.raises(ClientError) as error:
        put(public, repo, "v1", registryId=alias)
    assert code(error) == "ImageAlreadyExistsException"
    put(public, repo, "v2", registryId=alias)
    with pytest.raises(ClientError) as error:
        put(public, repo, "v1", registryId="nobody")
    assert code(error) == "RegistryNotFoundException"
    detail = public.describe_images(repositoryName=repo, imageIds=[{"imageTag": "v1"}])["imageDetails"][0]
    assert detail["imageDigest"] == pushed["imageDigest"] and detail["imageTags"] == ["v1", "v2"]
    assert detail["repositoryName"] == repo and detail["imageSizeInBytes"] > 1000
    tags = [page["imageTagDetails"][0] for page in public.get_paginator("describe_image_tags").paginate(
        repositoryName=repo, PaginationConfig={"PageSize": 1})]
    assert [(tag["imageTag"], tag["imageDetail"]["imageDigest"]) for tag in tags] == [
        ("v1", pushed["imageDigest"]), ("v2", pushed["imageDigest"])]
    with pytest.raises(ClientError) as error:
        public.describe_images(repositoryName=repo, imageIds=[{"imageTag": "no"}])
    assert code(error) == "ImageNotFoundException"
    with pytest.raises(ClientError) as error:
        public.delete_repository(repositoryName=repo)
    assert code(error) == "RepositoryNotEmptyException"
    gone = public.batch_delete_image(repositoryName=repo, imageIds=[{"imageTag": "v1"}, {"imageTag": "no"}])
    assert gone["imageIds"] == [{"imageTag": "v1", "imageDigest": pushed["imageDigest"]}]
    assert gone["failures"][0]["failureCode"] == "ImageNotFound"
    public.delete_repository(repositoryName=repo, force=True)


def test_everybody_pulls_and_only_who_logs_in_pushes(public, ecr, region, layout, tmp_path):
    repo = name("team/app")
    uri = public.create_repository(repositoryName=repo)["repository"]["repositoryUri"]
    anonymous = skopeo("copy", "-q", "--dest-tls-verify=false", "--dest-no-creds", layout, f"docker://{uri}:v1")
    assert anonymous.returncode != 0
    push(public, layout, f"{uri}:v1")
    back = tmp_path / "back"
    done = skopeo("copy", "-q", "--src-tls-verify=false", "--src-no-creds", f"docker://{uri}:v1", f"dir:{back}")
    assert done.returncode == 0, done.stderr
    assert json.loads((back / "manifest.json").read_text())["mediaType"] == OCI
    done = skopeo("inspect", "--tls-verify=false", "--no-creds", f"docker://{uri}:v1")
    assert json.loads(done.stdout)["RepoTags"] == ["v1"], done.stderr
    again = skopeo("copy", "-q", "--dest-tls-verify=false", "--dest-no-creds", layout, f"docker://{uri}:v2")
    assert again.returncode != 0
    # What is private stays so.
    ecr.create_repository(repositoryName=repo)
    private = f"docker://{region.registry}/{repo}:v1"
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    pushed = skopeo("copy", "-q", "--dest-tls-verify=false", "--dest-creds", ":".join(basic(token)), layout, private)
    assert pushed.returncode == 0, pushed.stderr
    refused = skopeo("copy", "-q", "--src-tls-verify=false", "--src-no-creds", private, f"dir:{tmp_path / 'no'}")
    assert refused.returncode != 0


class Bare:
    """Bare HTTP to the public registry's own host, whether or not this machine's resolver knows it."""

    def __init__(self, region):
        self.base, self.host = f"http://127.0.0.1:{region.port}", f"public.ecr.localhost:{region.port}"

    def call(self, method, path, body=None, **headers):
        request = urllib.request.Request(self.base + path, data=body, method=method, headers={"Host": self.host, **headers})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def token(self, **headers):
        status, _, body = self.call("GET", "/v2/_token?service=public.ecr.aws&scope=aws", **headers)
        assert status == 200, body
        return {"Authorization": "Bearer " + json.loads(body)["token"]}


def test_tokens_of_the_own_host(public, ecr, region, layout):
    repo = name()
    uri = public.create_repository(repositoryName=repo)["repository"]["repositoryUri"]
    alias = uri.split("/")[-2]
    push(public, layout, f"{uri}:v1")
    bare = Bare(region)
    manifest = f"/v2/{alias}/{repo}/manifests/v1"
    for path in ("/v2/", manifest):
        status, headers, _ = bare.call("GET", path)
        assert status == 401
        assert headers["Www-Authenticate"] == (
            f'Bearer realm="http://{bare.host}/v2/_token",service="public.ecr.aws",scope="aws"')
    nobody = bare.token()
    assert bare.call("GET", "/v2/", **nobody)[0] == 200
    status, _, body = bare.call("GET", manifest, **nobody)
    assert status == 200
    layer = json.loads(body)["layers"][0]["digest"]
    assert bare.call("GET", f"/v2/{alias}/{repo}/blobs/{layer}", **nobody)[0] == 200
    assert json.loads(bare.call("GET", f"/v2/{alias}/{repo}/tags/list", **nobody)[2])["tags"] == ["v1"]
    uploads = f"/v2/{alias}/{repo}/blobs/uploads/"
    status, _, body = bare.call("POST", uploads, b"", **nobody)
    assert (status, json.loads(body)["errors"][0]["code"]) == (403, "DENIED")
    assert bare.call("DELETE", manifest, **nobody)[0] == 403
    assert bare.call("PUT", manifest, body, **nobody)[0] == 403
    token = public.get_authorization_token()["authorizationData"]["authorizationToken"]
    somebody = bare.token(Authorization=f"Basic {token}")
    status, headers, _ = bare.call("POST", uploads, b"", **somebody)
    assert status == 202 and headers["Location"].startswith(uploads)
    assert bare.call("GET", "/v2/_token", Authorization="Basic QVdTOm5vbnNlbnNl")[0] == 401
    assert bare.call("GET", manifest, Authorization="Bearer nonsense")[0] == 401
    # A token of nobody opens nothing that is private.
    ecr.create_repository(repositoryName=repo)
    request = urllib.request.Request(f"{region.endpoint}/v2/{repo}/tags/list", headers=nobody)
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(request, timeout=30)
    assert error.value.code == 401
    for path in (f"/v2/{repo}/manifests/v1", f"/v2/docker/{repo}/manifests/v1", f"/v2/{alias}/none/manifests/v1"):
        assert bare.call("GET", path, **nobody)[0] == 404, path
    assert bare.call("GET", "/v2/_catalog", **nobody)[0] == 405


def test_policies_say_who_pushes(public, region, layout, other):
    account, credentials = other
    repo = name()
    uri = public.create_repository(repositoryName=repo)["repository"]["repositoryUri"]
    theirs = region.client("ecr-public", **credentials)
    target = f"docker://{uri}:v1"

    def theirs_push():
        return skopeo("copy", "-q", "--dest-tls-verify=false", "--dest-creds", login(theirs), layout, target)

    assert theirs_push().returncode != 0
    with pytest.raises(ClientError) as error:
        theirs.describe_images(registryId=OWN, repositoryName=repo)
    assert code(error) == "AccessDeniedException"
    with pytest.raises(ClientError) as error:
        public.get_repository_policy(repositoryName=repo)
    assert code(error) == "RepositoryPolicyNotFoundException"
    policy = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
        "Action": ["ecr-public:BatchCheckLayerAvailability", "ecr-public:InitiateLayerUpload", "ecr-public:UploadLayerPart",
                   "ecr-public:CompleteLayerUpload", "ecr-public:PutImage"]}]}
    public.set_repository_policy(repositoryName=repo, policyText=json.dumps(policy))
    assert json.loads(public.get_repository_policy(repositoryName=repo)["policyText"]) == policy
    done = theirs_push()
    assert done.returncode == 0, done.stderr
    public.delete_repository_policy(repositoryName=repo)
    assert theirs_push().returncode != 0
    # The other account has a registry of its own.
    assert theirs.describe_repositories()["repositories"] == []
    assert theirs.describe_registries()["registries"][0]["registryId"] == account


def test_actions_of_the_public_registry_are_enforced(public, region):
    iam = region.client("iam")
    user = name("pusher")
    iam.create_user(UserName=user)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    credentials = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    theirs = region.client("ecr-public", **credentials)

    def allow(*statements):
        document = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in statements]}
        iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=json.dumps(document))

    allow(("ecr:*", "*"), ("ecr-public:GetAuthorizationToken", "*"))
    for call in (lambda: theirs.describe_repositories(), lambda: theirs.get_authorization_token()):
        with pytest.raises(ClientError) as error:
            call()
        assert code(error) == "AccessDeniedException"
    repo = name()
    allow(("ecr-public:GetAuthorizationToken", "*"), ("sts:GetServiceBearerToken", "*"),
          ("ecr-public:CreateRepository", f"arn:aws:ecr-public::{OWN}:repository/{repo}"))
    theirs.get_authorization_token()
    theirs.create_repository(repositoryName=repo)
    with pytest.raises(ClientError) as error:
        theirs.create_repository(repositoryName=repo + "x")
    assert code(error) == "AccessDeniedException"
    iam.delete_user_policy(UserName=user, PolicyName="p")
    iam.delete_access_key(UserName=user, AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName=user)


def test_a_task_pulls_without_an_execution_role(public, region, layout):
    repo = name()
    uri = public.create_repository(repositoryName=repo)["repository"]["repositoryUri"]
    push(public, layout, f"{uri}:v1")
    tasks = Tasks(region)
    own_host = f"public.ecr.localhost:{region.port}/{'/'.join(uri.split('/')[-2:])}:v1"
    for image in (f"{uri}:v1", own_host):
        definition = tasks.ecs.register_task_definition(
            family=name("family"), networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
            containerDefinitions=[{"name": "app", "image": image, "command": ["sh", "-c", "exit 7"]}])
        started = tasks.run(definition["taskDefinition"]["taskDefinitionArn"])
        stopped = tasks.wait(started, "STOPPED")
        assert stopped["containers"][0]["exitCode"] == 7, (image, stopped)


@pytest.mark.skipif(shutil.which("docker") is None, reason="docker is not installed")
def test_the_command_line_logs_in(public, region, tmp_path):
    password = subprocess.run(
        [str(Path(__import__("sys").executable).with_name("aws")), "ecr-public", "get-login-password"],
        env=region.environment(), capture_output=True, text=True, timeout=60)
    assert password.returncode == 0, password.stderr
    done = subprocess.run(["skopeo", "login", "--tls-verify=false", "-u", "AWS", "--password-stdin", "--authfile",
                           str(tmp_path / "auth.json"), region.registry], input=password.stdout, text=True,
                          capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
