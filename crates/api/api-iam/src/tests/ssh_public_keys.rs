//! Public keys of SSH.

use super::*;
use crate::shapes::*;

/// What `ssh-keygen` wrote of one key, what it says of it with `-E md5`, and the same key as it exports it.
const LINE: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQDHLaxLDdUZABrnjdOfN2G1oSrqDvhznvMaKDdY99ZCPON62ve/a9+Z+AvVYog24OlvFykHvv/ifMsCkolEf+53WddqLxGA5mnscuPetTbl0hU9GYVbMAHrhvM8fqJ4rRN3n9ETJEGMTHGu8Cg2yqm9tf3doXL00N/CLdmE3CLkHbO7KTewCxX0K1jpa/KYrWifMbP9DuTujee0iXaa7YyuSshCVlbLUm8GhgPbFg6kY59lzxe/tUKNW0j3Oo+Des2dp+UTFjL8nmuX/GKsakAXwHIkWoqBiJoYC6HtYJ70tS5f2+Jyb/Q9ooLSv/PcM0N7L3xntm0ViwJZUg/ndKwt";
const FINGERPRINT: &str = "48:d0:54:99:99:59:43:ee:19:c5:94:39:d5:23:b4:7d";
const PEM: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAxy2sSw3VGQAa543Tnzdh
taEq6g74c57zGig3WPfWQjzjetr3v2vfmfgL1WKINuDpbxcpB77/4nzLApKJRH/u
d1nXai8RgOZp7HLj3rU25dIVPRmFWzAB64bzPH6ieK0Td5/REyRBjExxrvAoNsqp
vbX93aFy9NDfwi3ZhNwi5B2zuyk3sAsV9CtY6WvymK1onzGz/Q7k7o3ntIl2mu2M
rkrIQlZWy1JvBoYD2xYOpGOfZc8Xv7VCjVtI9zqPg3rNnaflExYy/J5rl/xirGpA
F8ByJFqKgYiaGAuh7WCe9LUuX9vicm/0PaKC0r/z3DNDey98Z7ZtFYsCWVIP53Ss
LQIDAQAB
-----END PUBLIC KEY-----
";

async fn upload(
    service: &IamService,
    context: &RequestContext,
    body: &str,
) -> Result<SSHPublicKey, ServiceError> {
    let input = UploadSSHPublicKeyRequest { user_name: "ann".into(), ssh_public_key_body: body.into() };
    Ok(service.upload_ssh_public_key(context, input).await?.ssh_public_key.expect("is shown"))
}

#[tokio::test]
async fn keys_are_read_and_written_in_both_forms() {
    let (service, context) = fixture();
    user(&service, &context, "ann").await;
    for body in [format!("{LINE} ann@example"), PEM.to_owned()] {
        let made = upload(&service, &context, &body).await.expect("uploads");
        assert_eq!((made.fingerprint.as_str(), made.ssh_public_key_body), (FINGERPRINT, body));
        assert!(made.ssh_public_key_id.starts_with("APKA") && made.ssh_public_key_id.len() == 20);
        for (encoding, expected) in [(EncodingType::Ssh, LINE), (EncodingType::Pem, PEM)] {
            let get = GetSSHPublicKeyRequest {
                user_name: "ann".into(),
                ssh_public_key_id: made.ssh_public_key_id.clone(),
                encoding,
            };
            let shown = service.get_ssh_public_key(&context, get).await.expect("reads").ssh_public_key;
            assert_eq!(shown.expect("is shown").ssh_public_key_body, expected);
        }
        assert_eq!(code(upload(&service, &context, LINE).await), "DuplicateSSHPublicKey");
        let gone =
            DeleteSSHPublicKeyRequest { user_name: "ann".into(), ssh_public_key_id: made.ssh_public_key_id };
        service.delete_ssh_public_key(&context, gone.clone()).await.expect("deletes");
        assert_eq!(code(service.delete_ssh_public_key(&context, gone).await), "NoSuchEntity");
    }
}

#[tokio::test]
async fn what_is_no_key_is_refused() {
    let (service, context) = fixture();
    user(&service, &context, "ann").await;
    let cut = &LINE[..LINE.len() - 8];
    let longer = LINE.replace("AAAAB3NzaC1yc2E", "AAAAB3NzaC1yc2F");
    let ed25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIUdMj3tvJNZ2vTLIbpkkCRjEzVuHrR6GiGHMPRMqHZT";
    let short = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAAQM=";
    for bad in
        ["x", "ssh-rsa", "ssh-rsa !", cut, &longer, ed25519, short, "-----BEGIN PUBLIC KEY-----", &PEM[..200]]
    {
        assert_eq!(code(upload(&service, &context, bad).await), "InvalidPublicKey", "{bad:.40}");
    }
}

#[tokio::test]
async fn keys_follow_their_user() {
    let (service, context) = fixture();
    user(&service, &context, "ann").await;
    let made = upload(&service, &context, LINE).await.expect("uploads");
    let off = UpdateSSHPublicKeyRequest {
        user_name: "ann".into(),
        ssh_public_key_id: made.ssh_public_key_id.clone(),
        status: StatusType::Inactive,
    };
    service.update_ssh_public_key(&context, off).await.expect("updates");
    let rename =
        UpdateUserRequest { user_name: "ann".into(), new_user_name: Some("bea".into()), new_path: None };
    service.update_user(&context, rename).await.expect("renames");
    let list = ListSSHPublicKeysRequest { user_name: Some("bea".into()), ..Default::default() };
    let list = service.list_ssh_public_keys(&context, list).await.expect("lists").ssh_public_keys;
    let list = list.expect("is shown");
    assert_eq!((list[0].user_name.as_str(), list[0].status), ("bea", StatusType::Inactive));
    let gone = DeleteUserRequest { user_name: "bea".into() };
    assert_eq!(code(service.delete_user(&context, gone).await), "DeleteConflict");
}
