//! Server certificates. The keys here are made for these tests and used nowhere.

use super::*;
use crate::shapes::*;
use resources::iam::ServerCertificate as Row;

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----
MIIBgzCCASmgAwIBAgIUFvL//rCIQSFbPML1VlJO2/80BlUwCgYIKoZIzj0EAwIw
FjEUMBIGA1UEAwwLZXhhbXBsZS5jb20wIBcNMjYxMTI0MTQwMjEyWhgPMjEyNjEw
MzExNDAyMTJaMBYxFDASBgNVBAMMC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYI
KoZIzj0DAQcDQgAE/1Q9a/7H6pTkp5OxLBRWdiVGBhlonlMTu9MELVsd2FYHhB2b
Ht1deVgbzZLRxI6MtGOOYHNhjRSq6xmVP+Imo6NTMFEwHQYDVR0OBBYEFKMZX/BJ
orn/TpLcIMnTcOJ6D6pIMB8GA1UdIwQYMBaAFKMZX/BJorn/TpLcIMnTcOJ6D6pI
MA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIgMGxU/SD3Bt3VITKx
oPyjFFl68L6Ti6YGD9mNReMh7DUCIQDVftWfH/phJNeY54azfoCxvt7CTAIae179
pmUGw+zXng==
-----END CERTIFICATE-----
";
const KEY: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgTA3HSbwjxJuXtrQ+
HSsjWuUlqhjrNFCg0q1h+xyVZKuhRANCAAT/VD1r/sfqlOSnk7EsFFZ2JUYGGWie
UxO70wQtWx3YVgeEHZse3V15WBvNktHEjoy0Y45gc2GNFKrrGZU/4iaj
-----END PRIVATE KEY-----
";
/// The same key as OpenSSL's older commands write it.
const SEC1_KEY: &str = "-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIEwNx0m8I8Sbl7a0Ph0rI1rlJaoY6zRQoNKtYfsclWSroAoGCCqGSM49
AwEHoUQDQgAE/1Q9a/7H6pTkp5OxLBRWdiVGBhlonlMTu9MELVsd2FYHhB2bHt1d
eVgbzZLRxI6MtGOOYHNhjRSq6xmVP+Imow==
-----END EC PRIVATE KEY-----
";
const OTHER_CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----
MIIBgjCCASmgAwIBAgIUJdQm+vec85e2yCoP9ObEKntKcocwCgYIKoZIzj0EAwIw
FjEUMBIGA1UEAwwLZXhhbXBsZS5jb20wIBcNMjYxMTI0MTQwMjEyWhgPMjEyNjEw
MzExNDAyMTJaMBYxFDASBgNVBAMMC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYI
KoZIzj0DAQcDQgAERsimuMVB/PZMl83MjVJau/cIGPcZ6PR5LrLlJSwrQuJDYBpm
/9FAllwcJgo+GK+1sanraWTG9/0SanmTAjGjS6NTMFEwHQYDVR0OBBYEFLHGD2XA
hyyuoaFWLgFAfVd9AEiUMB8GA1UdIwQYMBaAFLHGD2XAhyyuoaFWLgFAfVd9AEiU
MA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDRwAwRAIgYVyg4OjAmj8GZ0vm
cy7c0QggeYYCW/cXS7686/VYWOICIBbBO6U0YQD2WeuaKj/zOl0fFen5ynNWnr2S
m5ru3lwS
-----END CERTIFICATE-----
";

fn upload(name: &str, body: &str, key: &str) -> UploadServerCertificateRequest {
    UploadServerCertificateRequest {
        server_certificate_name: name.into(),
        certificate_body: body.into(),
        private_key: key.into(),
        ..UploadServerCertificateRequest::default()
    }
}

#[tokio::test]
async fn certificates_are_read_and_their_keys_fit() {
    let (service, context) = fixture();
    for (body, key, expected) in [
        ("certbody", KEY, "MalformedCertificate"),
        (CERTIFICATE, "privatekey", "MalformedCertificate"),
        (KEY, KEY, "MalformedCertificate"),
        (CERTIFICATE, CERTIFICATE, "MalformedCertificate"),
        (OTHER_CERTIFICATE, KEY, "KeyPairMismatch"),
    ] {
        assert_eq!(
            code(service.upload_server_certificate(&context, upload("web", body, key)).await),
            expected
        );
    }
    let with_chain = |chain: &str| UploadServerCertificateRequest {
        certificate_chain: Some(chain.into()),
        path: Some("/cloudfront/".into()),
        ..upload("web", CERTIFICATE, KEY)
    };
    let bad = service.upload_server_certificate(&context, with_chain("certchain")).await;
    assert_eq!(code(bad), "MalformedCertificate");
    let chain = format!("{OTHER_CERTIFICATE}{CERTIFICATE}");
    let made = service.upload_server_certificate(&context, with_chain(&chain)).await.expect("uploads");
    let made = made.server_certificate_metadata.expect("is shown");
    assert_eq!(made.arn, "arn:aws:iam::123456789012:server-certificate/cloudfront/web");
    assert!(made.expiration.expect("ends") > context.time && made.server_certificate_id.starts_with("ASCA"));
    assert_eq!(
        refused(service.upload_server_certificate(&context, upload("WEB", CERTIFICATE, SEC1_KEY)).await),
        ("EntityAlreadyExists", "The Server Certificate with name WEB already exists.".to_owned())
    );
    let get = GetServerCertificateRequest { server_certificate_name: "web".into() };
    let shown = service.get_server_certificate(&context, get).await.expect("reads").server_certificate;
    assert_eq!((shown.certificate_body.as_str(), shown.certificate_chain), (CERTIFICATE, Some(chain)));
    let row = service.find::<Row>(&context, "web").await.expect("is there");
    assert!(!serde_json::to_string(&*row.value).expect("has a form").contains("PRIVATE KEY"));
}

#[tokio::test]
async fn certificates_are_renamed_tagged_and_deleted() {
    let (service, context) = fixture();
    for (name, key) in [("web", KEY), ("old", SEC1_KEY)] {
        service.upload_server_certificate(&context, upload(name, CERTIFICATE, key)).await.expect("uploads");
    }
    let rename = |name: &str| UpdateServerCertificateRequest {
        server_certificate_name: "web".into(),
        new_server_certificate_name: Some(name.into()),
        new_path: Some("/x/".into()),
    };
    assert_eq!(code(service.update_server_certificate(&context, rename("old")).await), "EntityAlreadyExists");
    service.update_server_certificate(&context, rename("new")).await.expect("renames");
    let tag = TagServerCertificateRequest {
        server_certificate_name: "new".into(),
        tags: vec![Tag { key: "team".into(), value: "a".into() }],
    };
    service.tag_server_certificate(&context, tag).await.expect("tags");
    let list = ListServerCertificatesRequest { path_prefix: Some("/x/".into()), ..Default::default() };
    let list = service.list_server_certificates(&context, list).await.expect("lists");
    let names: Vec<_> = list
        .server_certificate_metadata_list
        .iter()
        .map(|row| row.server_certificate_name.as_str())
        .collect();
    assert_eq!(names, ["new"]);
    let row = service.find::<Row>(&context, "new").await.expect("is there");
    assert_eq!(row.tags.len(), 1);
    let purpose = resources::sealed::Sealing::purpose(&*row.value);
    let opened = service.keys.open(&purpose, row.sealed.as_str()).expect("opens under its new name");
    assert_eq!(opened.as_slice(), KEY.as_bytes());
    for name in ["new", "old"] {
        let gone = DeleteServerCertificateRequest { server_certificate_name: name.into() };
        service.delete_server_certificate(&context, gone.clone()).await.expect("deletes");
        assert_eq!(
            refused(service.delete_server_certificate(&context, gone).await),
            ("NoSuchEntity", format!("The Server Certificate with name {name} cannot be found."))
        );
    }
}
