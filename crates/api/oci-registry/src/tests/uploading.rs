//! Uploads that are interrupted at every chunk, lie, go to the wrong place or outlive their token.

use super::*;
use blob_store::Algorithm;
use environment::Timestamp;
use std::time::Duration;

async fn begin(f: &Fixture, repository: &str) -> String {
    let path = format!("/v2/{repository}/blobs/uploads/");
    let (status, headers, _) = f.call(Method::POST, &path, b"", &[]).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    headers[header::LOCATION].to_str().expect("text").to_owned()
}

async fn received(f: &Fixture, location: &str) -> String {
    let (status, headers, _) = f.get(location).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    headers[header::RANGE].to_str().expect("text").to_owned()
}

/// The server is restarted before each chunk in turn, and before all of them.
#[tokio::test]
async fn uploads_go_on_after_a_restart_at_any_chunk() {
    const CHUNKS: usize = 6;
    let content: Vec<u8> = (0..CHUNKS * 100).map(|i| (i % 253) as u8).collect();
    let digest = Digest::of(&content);
    let mut f = fixture().await;
    for restarted in 0..=CHUNKS + 1 {
        let location = begin(&f, "app").await;
        for (number, chunk) in content.chunks(100).enumerate() {
            if restarted == number || restarted == CHUNKS + 1 {
                f.restart();
            }
            let start = number * 100;
            let range = format!("{start}-{}", start + 99);
            if number > 0 {
                assert_eq!(received(&f, &location).await, format!("0-{}", start - 1));
                // The chunk before, once more: it is there already.
                let again = format!("{}-{}", start - 100, start - 1);
                let (status, headers, _) =
                    f.call(Method::PATCH, &location, chunk, &[("content-range", &again)]).await;
                assert_eq!(status, StatusCode::RANGE_NOT_SATISFIABLE);
                assert_eq!(headers[header::RANGE], format!("0-{}", start - 1));
            }
            let (status, ..) = f.call(Method::PATCH, &location, chunk, &[("content-range", &range)]).await;
            assert_eq!(status, StatusCode::ACCEPTED);
        }
        if restarted >= CHUNKS {
            f.restart();
        }
        let end = format!("{location}?digest={digest}");
        assert_eq!(f.status(Method::PUT, &end).await, StatusCode::CREATED);
        assert_eq!(f.get(&format!("/v2/app/blobs/{digest}")).await.2, content);
        assert_eq!(f.status(Method::PUT, &end).await, StatusCode::NOT_FOUND, "it is over");
    }
}

#[tokio::test]
async fn uploads_belong_to_their_repository() {
    let f = fixture().await;
    let location = begin(&f, "app").await;
    let elsewhere = location.replace("/v2/app/", "/v2/other/");
    for method in [Method::GET, Method::PATCH, Method::PUT, Method::DELETE] {
        let path = format!("{elsewhere}?digest={}", Digest::of(b""));
        let (status, _, body) = f.call(method, &path, b"", &[]).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert!(String::from_utf8_lossy(&body).contains("BLOB_UPLOAD_UNKNOWN"));
    }
    assert_eq!(f.status(Method::DELETE, &location).await, StatusCode::NO_CONTENT);
    assert_eq!(f.status(Method::GET, &location).await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_lies_is_refused() {
    let f = fixture().await;
    let other = Digest::of(b"other");
    let (status, _, body) =
        f.call(Method::POST, &format!("/v2/app/blobs/uploads/?digest={other}"), b"this", &[]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(String::from_utf8_lossy(&body).contains("DIGEST_INVALID"));
    let location = begin(&f, "app").await;
    for (range, code) in [
        ("0-9", "SIZE_INVALID"),
        ("3-1", "BLOB_UPLOAD_INVALID"),
        ("x", "BLOB_UPLOAD_INVALID"),
        ("0-18446744073709551615", "BLOB_UPLOAD_INVALID"),
    ] {
        let headers = [("content-range", range), ("content-length", "4")];
        let (status, _, body) = f.call(Method::PATCH, &location, b"this", &headers).await;
        assert!(
            status.is_client_error() && String::from_utf8_lossy(&body).contains(code),
            "{range}: {body:?}"
        );
    }
    for digest in ["sha256:zz", "md5:d41d8cd98f00b204e9800998ecf8427e", "", "sha256"] {
        let (status, _, body) = f.call(Method::PUT, &format!("{location}?digest={digest}"), b"", &[]).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{digest}");
        assert!(String::from_utf8_lossy(&body).contains("DIGEST_INVALID"));
    }
    assert_eq!(f.status(Method::PUT, &location).await, StatusCode::BAD_REQUEST, "no digest at all");
    let end = format!("{location}?digest={}", Digest::by(Algorithm::Sha512, b"this"));
    assert_eq!(f.call(Method::PUT, &end, b"this", &[]).await.0, StatusCode::CREATED, "it is still there");
}

#[tokio::test]
async fn a_token_that_ends_in_mid_upload_ends_nothing_else() {
    let (environment, clock) = Environment::simulated(Timestamp::from_seconds(1_700_000_000), 1);
    let mut f = fixture_in(environment).await;
    let location = begin(&f, "app").await;
    assert_eq!(f.call(Method::PATCH, &location, b"first", &[]).await.0, StatusCode::ACCEPTED);
    clock.advance(access::TOKEN_LIFE + Duration::from_secs(1));
    let (status, headers, _) = f.call(Method::PATCH, &location, b"second", &[]).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(headers.contains_key(header::WWW_AUTHENTICATE));
    let account = f.registry.0.config.account.clone();
    let password = f.access.registry_token(&Caller::root(&account)).expect("a token").password;
    f.token = base64::engine::general_purpose::STANDARD.encode(format!("AWS:{password}"));
    assert_eq!(received(&f, &location).await, "0-4");
    assert_eq!(f.call(Method::PATCH, &location, b"second", &[]).await.0, StatusCode::ACCEPTED);
    let end = format!("{location}?digest={}", Digest::of(b"firstsecond"));
    assert_eq!(f.status(Method::PUT, &end).await, StatusCode::CREATED);
}

#[tokio::test]
async fn a_mount_without_permission_is_an_upload() {
    let f = fixture().await;
    let digest = f.push_blob("app", b"shared").await;
    let account = f.registry.0.config.account.clone();
    // A user who may do everything in `other`, and nothing in `app`.
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:*","Resource":"arn:aws:ecr:us-east-1:123456789012:repository/other"}]}"#;
    let user = testing_user(&f, &account, policy).await;
    let header = [("authorization", user.as_str())];
    let mount = format!("/v2/other/blobs/uploads/?mount={digest}&from=app");
    let (status, headers, _) = f.call(Method::POST, &mount, b"", &header).await;
    assert_eq!(status, StatusCode::ACCEPTED, "as if it were not there");
    assert!(headers.contains_key(header::LOCATION));
    let blob = format!("/v2/other/blobs/{digest}");
    assert_eq!(f.call(Method::GET, &blob, b"", &header).await.0, StatusCode::NOT_FOUND);
    assert_eq!(
        f.call(Method::GET, &format!("/v2/app/blobs/{digest}"), b"", &header).await.0,
        StatusCode::FORBIDDEN
    );
    let unknown = format!("/v2/other/blobs/uploads/?mount={digest}&from=never/was");
    assert_eq!(f.call(Method::POST, &unknown, b"", &header).await.0, StatusCode::ACCEPTED);
    let own = format!("/v2/other/blobs/uploads/?mount={digest}&from=app");
    assert_eq!(f.status(Method::POST, &own).await, StatusCode::CREATED, "who may read it there mounts it");
    // The catalogue shows what may be seen.
    let names = |body: &Bytes| {
        serde_json::from_slice::<serde_json::Value>(body).expect("JSON")["repositories"].clone()
    };
    assert_eq!(
        names(&f.call(Method::GET, "/v2/_catalog", b"", &header).await.2),
        serde_json::json!(["other"])
    );
    assert_eq!(names(&f.get("/v2/_catalog").await.2), serde_json::json!(["app", "fixed", "other"]));
}

/// The header of a user of the account with one policy.
pub(super) async fn testing_user(f: &Fixture, account: &AccountId, policy: &str) -> String {
    let mut policies = resources::iam::PrincipalPolicies::default();
    policies.inline.insert("inline".to_owned(), policy.to_owned());
    let mut user = resources::iam::User {
        account: account.clone(),
        name: "builder".to_owned(),
        path: "/".to_owned(),
        id: "AIDABUILDER".to_owned(),
        groups: vec![],
        policies,
        boundary: None,
        access_keys: vec![],
        mfa_devices: vec![],
        login_profile: None,
        tags: vec![],
        created_at: f.tables.environment().now(),
    };
    let new = access::new_key(f.tables.environment(), &f.keys, &Caller::user(&user));
    let key = resources::access::AccessKey { user: Some(user.name.clone()), ..new.key };
    user.access_keys.push(key.access_key_id.clone());
    f.tables.create(user).await.expect("creates");
    f.tables.create(key.clone()).await.expect("creates");
    let caller = f.access.credential(&key.access_key_id, None).await.expect("is good").caller;
    let password = f.access.registry_token(&caller).expect("a token").password;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("AWS:{password}")))
}
