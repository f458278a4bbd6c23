"""Principals by unique id, secrets at rest, second factors and quotas, with the unmodified SDK and CLI."""

import base64
import hmac
import json
import shutil
import struct
import subprocess
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from conftest import Region

ACCOUNT = "123456789012"


@pytest.fixture(scope="module")
def region():
    region = Region("--no-host")
    yield region
    region.stop()
    shutil.rmtree(region.dir, ignore_errors=True)


@pytest.fixture(scope="module")
def iam(region):
    return region.client("iam")


@pytest.fixture
def name():
    return f"t-{uuid.uuid4().hex[:12]}"


def policy(**statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


def user_arn(name):
    return f"arn:aws:iam::{ACCOUNT}:user/{name}"


def key_of(iam, name):
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return dict(aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])


def refused(call, **arguments):
    """Code and message of the error that a call is answered with."""
    with pytest.raises(ClientError) as error:
        call(**arguments)
    answer = error.value.response["Error"]
    return answer["Code"], answer["Message"]


def code(seed, steps=0):
    """The code of a device, so many steps from now (RFC 6238)."""
    step = int(time.time()) // 30 + steps
    digest = hmac.new(base64.b32decode(seed), struct.pack(">Q", step), "sha1").digest()
    word = struct.unpack(">I", digest[digest[-1] & 15 :][:4])[0] & 0x7FFFFFFF
    return f"{word % 1_000_000:06}"


def at_a_calm_moment():
    """Waits until the step of codes is not about to end."""
    while time.time() % 30 > 20:
        time.sleep(0.2)


def test_a_user_made_anew_is_not_trusted(region, iam, name):
    iam.create_user(UserName=name)
    trust = policy(Principal={"AWS": user_arn(name)}, Action="sts:AssumeRole")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]
    assert role["AssumeRolePolicyDocument"] == json.loads(trust)
    old = iam.get_user(UserName=name)["User"]["UserId"]
    assume = dict(RoleArn=role["Arn"], RoleSessionName="session")
    own = key_of(iam, name)
    region.client("sts", **own).assume_role(**assume)
    iam.delete_access_key(UserName=name, AccessKeyId=own["aws_access_key_id"])
    iam.delete_user(UserName=name)
    # The attack: whoever may make users makes the trusted one anew.
    iam.create_user(UserName=name)
    own = key_of(iam, name)
    assert refused(region.client("sts", **own).assume_role, **assume)[0] == "AccessDenied"
    shown = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    assert shown["Statement"][0]["Principal"] == {"AWS": old}
    again = dict(RoleName=name, PolicyDocument=json.dumps(shown))
    assert refused(iam.update_assume_role_policy, **again) == (
        "MalformedPolicyDocument",
        f'Invalid principal in policy: "AWS":"{old}"',
    )
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)
    region.client("sts", **own).assume_role(**assume)


def test_the_policy_of_a_secret_keeps_whom_it_names(region, iam, name):
    secrets = region.client("secretsmanager")
    secret = secrets.create_secret(Name=name, SecretString="value")["ARN"]
    document = policy(Principal={"AWS": user_arn(name)}, Action="secretsmanager:GetSecretValue", Resource="*")
    put = dict(SecretId=secret, ResourcePolicy=document)
    assert refused(secrets.put_resource_policy, **put) == (
        "MalformedPolicyDocumentException",
        "This resource policy contains an unsupported principal.",
    )
    iam.create_user(UserName=name)
    secrets.put_resource_policy(**put)
    own = key_of(iam, name)
    region.client("secretsmanager", **own).get_secret_value(SecretId=secret)
    iam.delete_access_key(UserName=name, AccessKeyId=own["aws_access_key_id"])
    iam.delete_user(UserName=name)
    iam.create_user(UserName=name)
    own = key_of(iam, name)
    denied = refused(region.client("secretsmanager", **own).get_secret_value, SecretId=secret)
    assert denied[0] == "AccessDeniedException"
    assert "AIDA" in secrets.get_resource_policy(SecretId=secret)["ResourcePolicy"]


def test_secrets_of_keys_are_sealed_at_rest(region, iam, name):
    iam.create_user(UserName=name)
    own = key_of(iam, name)
    seed = iam.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]["Base32StringSeed"]
    hidden = [own["aws_secret_access_key"].encode(), region.key[1].encode(), seed, base64.b64encode(seed)]
    # The end brings the records of the calls to the disk, too.
    region.stop()
    files = [file for file in Path(region.data_dir).rglob("*") if file.is_file() and not file.name.endswith(".toml")]
    assert any("store" in file.parts for file in files)
    for file in files:
        content = file.read_bytes()
        assert not any(secret in content for secret in hidden), file
    # They open after a restart.
    region.start()
    region.client("sts", **own).get_caller_identity()


def test_a_second_factor_opens_what_a_key_alone_does_not(region, iam, name):
    iam.create_user(UserName=name)
    condition = {"Bool": {"aws:MultiFactorAuthPresent": "true"}, "NumericLessThan": {"aws:MultiFactorAuthAge": "60"}}
    document = policy(Action=["iam:ListUsers", "ecs:ListClusters", "sts:AssumeRole"], Resource="*", Condition=condition)
    iam.put_user_policy(UserName=name, PolicyName="with-mfa", PolicyDocument=document)
    trust = policy(
        Principal={"AWS": user_arn(name)},
        Action="sts:AssumeRole",
        Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}},
    )
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]
    assert device["QRCodePNG"].startswith(b"\x89PNG\r\n")
    seed, serial = device["Base32StringSeed"], device["SerialNumber"]
    at_a_calm_moment()
    enable = dict(UserName=name, SerialNumber=serial)
    wrong = dict(AuthenticationCode1=code(seed, 500), AuthenticationCode2=code(seed, 501))
    assert refused(iam.enable_mfa_device, **enable, **wrong)[0] == "InvalidAuthenticationCode"
    iam.enable_mfa_device(**enable, AuthenticationCode1=code(seed, -2), AuthenticationCode2=code(seed, -1))
    assert [device["SerialNumber"] for device in iam.list_mfa_devices(UserName=name)["MFADevices"]] == [serial]
    own = key_of(iam, name)
    sts = region.client("sts", **own)
    assert refused(region.client("ecs", **own).list_clusters)[0] == "AccessDeniedException"
    assert refused(sts.assume_role, RoleArn=role, RoleSessionName="session")[0] == "AccessDenied"
    assert refused(sts.get_session_token, SerialNumber=serial)[0] == "AccessDenied"
    assert refused(sts.get_session_token, SerialNumber=serial, TokenCode=code(seed, 700)) == (
        "AccessDenied",
        "MultiFactorAuthentication failed with invalid MFA one time pass code. ",
    )
    shown = code(seed)
    made = sts.get_session_token(SerialNumber=serial, TokenCode=shown)["Credentials"]
    session = dict(
        aws_access_key_id=made["AccessKeyId"],
        aws_secret_access_key=made["SecretAccessKey"],
        aws_session_token=made["SessionToken"],
    )
    region.client("ecs", **session).list_clusters()
    region.client("iam", **session).list_users()
    region.client("sts", **session).assume_role(RoleArn=role, RoleSessionName="session")
    # A code is good once, for whatever it is shown.
    again = dict(SerialNumber=serial, TokenCode=shown)
    assert refused(sts.get_session_token, **again)[0] == "AccessDenied"
    assert refused(sts.assume_role, RoleArn=role, RoleSessionName="session", **again)[0] == "AccessDenied"
    plain = sts.get_session_token()["Credentials"]
    plain = dict(
        aws_access_key_id=plain["AccessKeyId"],
        aws_secret_access_key=plain["SecretAccessKey"],
        aws_session_token=plain["SessionToken"],
    )
    assert refused(region.client("ecs", **plain).list_clusters)[0] == "AccessDeniedException"
    iam.deactivate_mfa_device(UserName=name, SerialNumber=serial)
    iam.delete_virtual_mfa_device(SerialNumber=serial)


def test_a_role_is_assumed_with_a_code(region, iam, name):
    iam.create_user(UserName=name)
    trust = policy(
        Principal={"AWS": user_arn(name)},
        Action="sts:AssumeRole",
        Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}},
    )
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]
    seed, serial = device["Base32StringSeed"], device["SerialNumber"]
    at_a_calm_moment()
    codes = dict(AuthenticationCode1=code(seed, -2), AuthenticationCode2=code(seed, -1))
    iam.enable_mfa_device(UserName=name, SerialNumber=serial, **codes)
    sts = region.client("sts", **key_of(iam, name))
    assume = dict(RoleArn=role, RoleSessionName="session", SerialNumber=serial)
    assert refused(sts.assume_role, **assume, TokenCode=code(seed, 900))[0] == "AccessDenied"
    sts.assume_role(**assume, TokenCode=code(seed))
    assert refused(sts.assume_role, **assume, TokenCode=code(seed))[0] == "AccessDenied"


def test_the_aws_cli_writes_the_qr_code(region, name, tmp_path):
    image = tmp_path / "code.png"
    region.aws(
        "iam",
        "create-virtual-mfa-device",
        "--virtual-mfa-device-name",
        name,
        "--bootstrap-method",
        "QRCodePNG",
        "--outfile",
        str(image),
    )
    assert image.read_bytes().startswith(b"\x89PNG\r\n")
    devices = region.aws("iam", "list-virtual-mfa-devices", "--assignment-status", "Unassigned")
    assert f"arn:aws:iam::{ACCOUNT}:mfa/{name}" in [d["SerialNumber"] for d in devices["VirtualMFADevices"]]


def test_quotas_hold_when_many_ask_at_once(region, iam, name):
    iam.create_user(UserName=name)

    def create(_):
        try:
            return iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"]
        except ClientError as error:
            assert error.response["Error"]["Code"] == "LimitExceeded"
            return None

    with ThreadPoolExecutor(12) as pool:
        made = [key for key in pool.map(create, range(12)) if key]
    assert len(made) == 2
    assert len(iam.list_access_keys(UserName=name)["AccessKeyMetadata"]) == 2


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60)


@pytest.mark.parametrize("kind", ["rsa:2048", "ec"])
def test_server_certificates_come_with_their_keys(region, iam, name, tmp_path, kind):
    curve = ["-pkeyopt", "ec_paramgen_curve:prime256v1"] if kind == "ec" else []
    for pair in ["own", "other"]:
        files = ["-keyout", str(tmp_path / f"{pair}.key"), "-out", str(tmp_path / f"{pair}.crt")]
        openssl("req", "-x509", "-nodes", "-newkey", kind, *curve, "-days", "9", "-subj", "/CN=example.com", *files)
    body, key = (tmp_path / "own.crt").read_text(), (tmp_path / "own.key").read_text()
    other = (tmp_path / "other.key").read_text()
    upload = dict(ServerCertificateName=name, CertificateBody=body)
    assert refused(iam.upload_server_certificate, **upload, PrivateKey=other)[0] == "KeyPairMismatch"
    assert refused(iam.upload_server_certificate, **upload, PrivateKey="key")[0] == "MalformedCertificate"
    region.aws(
        "iam",
        "upload-server-certificate",
        *("--server-certificate-name", name),
        *("--certificate-body", f"file://{tmp_path}/own.crt"),
        *("--private-key", f"file://{tmp_path}/own.key"),
    )
    shown = iam.get_server_certificate(ServerCertificateName=name)["ServerCertificate"]
    assert shown["CertificateBody"].strip() == body.strip()
    assert shown["ServerCertificateMetadata"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:server-certificate/{name}"
    secret = key.splitlines()[2].encode()
    assert not any(secret in file.read_bytes() for file in (Path(region.data_dir)).rglob("*") if file.is_file())
    iam.delete_server_certificate(ServerCertificateName=name)
    assert refused(iam.get_server_certificate, ServerCertificateName=name) == (
        "NoSuchEntity",
        f"The Server Certificate with name {name} cannot be found.",
    )


def test_ssh_keys_have_the_fingerprints_of_openssh(iam, name, tmp_path):
    iam.create_user(UserName=name)
    file = str(tmp_path / "key")
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", file], check=True, timeout=60)
    said = subprocess.run(["ssh-keygen", "-E", "md5", "-lf", file], check=True, capture_output=True, text=True)
    body = Path(file + ".pub").read_text()
    made = iam.upload_ssh_public_key(UserName=name, SSHPublicKeyBody=body)["SSHPublicKey"]
    assert "MD5:" + made["Fingerprint"] == said.stdout.split()[1]
    pem = iam.get_ssh_public_key(UserName=name, SSHPublicKeyId=made["SSHPublicKeyId"], Encoding="PEM")["SSHPublicKey"]
    export = ["ssh-keygen", "-f", file, "-e", "-m", "PKCS8"]
    exported = subprocess.run(export, check=True, capture_output=True, text=True)
    assert pem["SSHPublicKeyBody"].strip() == exported.stdout.strip()
    ed25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIUdMj3tvJNZ2vTLIbpkkCRjEzVuHrR6GiGHMPRMqHZT"
    assert refused(iam.upload_ssh_public_key, UserName=name, SSHPublicKeyBody=ed25519)[0] == "InvalidPublicKey"
    iam.delete_ssh_public_key(UserName=name, SSHPublicKeyId=made["SSHPublicKeyId"])


def test_hostile_documents_are_answered_soon(region, iam, name):
    iam.create_user(UserName=name)
    put = dict(UserName=name, PolicyName="p")
    deep = '{"a":' * 2_000 + "1" + "}" * 2_000
    assert refused(iam.put_user_policy, **put, PolicyDocument=deep)[0] == "MalformedPolicyDocument"
    long = policy(Action="ecs:ListClusters", Resource=[f"arn:aws:s3:::bucket-{n}/*" for n in range(4_000)])
    assert len(long) > 100 * 1024
    assert refused(iam.put_user_policy, **put, PolicyDocument=long)[0] == "LimitExceeded"
    assert refused(iam.put_user_policy, **put, PolicyDocument="x" * 200_000)[0] == "ValidationError"
    # Matched by trying every way these would take until the end of time.
    hostile = "arn:aws:ecs:*:*:cluster/" + "*a" * 250 + "*b"
    iam.put_user_policy(**put, PolicyDocument=policy(Action="ecs:*" + "c*" * 100, Resource=hostile))
    ecs = region.client("ecs", **key_of(iam, name))
    begun = time.monotonic()
    assert refused(ecs.create_cluster, clusterName="a" * 255)[0] == "AccessDeniedException"
    assert time.monotonic() - begun < 10


def test_a_role_is_passed_to_a_machine_only_with_permission(region, iam, name):
    trust = policy(Principal={"Service": "ec2.amazonaws.com"}, Action="sts:AssumeRole")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.create_instance_profile(InstanceProfileName=name)
    iam.create_user(UserName=name)
    own = region.client("iam", **key_of(iam, name))
    add = dict(InstanceProfileName=name, RoleName=name)
    iam.put_user_policy(
        UserName=name, PolicyName="p", PolicyDocument=policy(Action="iam:AddRoleToInstanceProfile", Resource="*")
    )
    code, message = refused(own.add_role_to_instance_profile, **add)
    assert code == "AccessDenied" and f"iam:PassRole on resource: {role}" in message
    iam.put_user_policy(UserName=name, PolicyName="pass", PolicyDocument=policy(Action="iam:PassRole", Resource=role))
    own.add_role_to_instance_profile(**add)
