//! The protocol against a registry in memory and a temporary directory.

use super::*;
use audit_log::{Bounds, Query, StoredEvent};
use base64::Engine;
use blob_store::Digest;
use encryption::KeyRing;
use environment::{Environment, Timestamp};
use http::{Method, StatusCode, header};
use http_body_util::{BodyExt, Full};
use resources::ecr::TagMutability;
use store::MemoryStore;

mod conformance;
mod local;
mod through;
mod uploading;

struct Fixture {
    registry: Registry,
    access: Access,
    keys: KeyRing,
    token: String,
    tables: Tables,
    audit: AuditLog,
    dir: tempfile::TempDir,
}

async fn fixture() -> Fixture {
    fixture_in(Environment::real()).await
}

async fn fixture_in(environment: Environment) -> Fixture {
    let tables = Tables::new(MemoryStore::new(environment.clone()), environment.clone());
    let keys = KeyRing::in_memory(environment.clone());
    let access = Access::new(tables.clone(), keys.clone());
    let dir = tempfile::tempdir().expect("a directory");
    let blobs = BlobStore::local(dir.path(), environment.clone()).expect("opens");
    let account: AccountId = "123456789012".parse().expect("an account");
    let password = access.registry_token(&Caller::root(&account)).expect("a token").password;
    let token = base64::engine::general_purpose::STANDARD.encode(format!("AWS:{password}"));
    for name in ["app", "other", "fixed"] {
        let mut repository = Repository::new(account.clone(), name, environment.now());
        if name == "fixed" {
            repository.tag_mutability = TagMutability::Immutable;
        }
        tables.create(repository).await.expect("creates");
    }
    let audit = AuditLog::open(blobs.clone(), environment, Bounds::default()).await.expect("opens");
    let config = RegistryConfig {
        account,
        region: "us-east-1".parse().expect("a region"),
        create_on_push: false,
        audit: Some(audit.clone()),
        redirect_for: None,
        upstreams: Upstreams::default(),
    };
    let images = ImageRegistry::new(tables.clone(), blobs);
    Fixture {
        registry: Registry::new(images, access.clone(), config),
        access,
        keys,
        token,
        tables,
        audit,
        dir,
    }
}

impl Fixture {
    /// The server stops and another one starts over the same store and directory.
    fn restart(&mut self) {
        let blobs = BlobStore::local(self.dir.path(), self.tables.environment().clone()).expect("opens");
        let images = ImageRegistry::new(self.tables.clone(), blobs);
        let config = self.registry.0.config.clone();
        self.registry = Registry::new(images, self.access.clone(), config);
    }

    async fn get(&self, path: &str) -> (StatusCode, http::HeaderMap, Bytes) {
        self.call(Method::GET, path, b"", &[]).await
    }

    async fn status(&self, method: Method, path: &str) -> StatusCode {
        self.call(method, path, b"", &[]).await.0
    }

    /// What is on record, oldest first.
    async fn records(&self) -> Vec<StoredEvent> {
        let query = Query {
            account: "123456789012".to_owned(),
            matching: None,
            from: Timestamp::from_seconds(0),
            until: Timestamp::from_seconds(i64::from(u32::MAX)),
            before: None,
            limit: 50,
        };
        let mut events = self.audit.search(&query).await.expect("searches").events;
        events.reverse();
        events
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: &[u8],
        headers: &[(&str, &str)],
    ) -> (StatusCode, http::HeaderMap, Bytes) {
        let mut request =
            http::Request::builder().method(method).uri(path).header(header::HOST, "localhost:4566");
        if !headers.iter().any(|(name, _)| *name == "authorization") {
            request = request.header("authorization", format!("Basic {}", self.token));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::copy_from_slice(body))).expect("a request");
        let (parts, body) = self.registry.handle(request).await.into_parts();
        (parts.status, parts.headers, body.collect().await.expect("a body").to_bytes())
    }

    async fn push_blob(&self, repository: &str, content: &[u8]) -> Digest {
        let digest = Digest::of(content);
        let path = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
        assert_eq!(self.call(Method::POST, &path, content, &[]).await.0, StatusCode::CREATED);
        digest
    }

    async fn push_image(&self, repository: &str, tag: &str, content: &[u8]) -> String {
        let blob = self.push_blob(repository, content).await;
        let manifest = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": blob.to_string(), "size": content.len()},
            "layers": [],
        })
        .to_string();
        let path = format!("/v2/{repository}/manifests/{tag}");
        let (status, headers, body) = self.call(Method::PUT, &path, manifest.as_bytes(), &[]).await;
        assert_eq!(status, StatusCode::CREATED, "{body:?}");
        headers["docker-content-digest"].to_str().expect("text").to_owned()
    }
}

#[tokio::test]
async fn images_are_pushed_pulled_tagged_and_deleted() {
    let f = fixture().await;
    let digest = f.push_image("app", "v1", b"{}").await;
    for reference in ["v1", digest.as_str()] {
        let (status, headers, body) =
            f.call(Method::GET, &format!("/v2/app/manifests/{reference}"), b"", &[]).await;
        assert_eq!((status, Digest::of(&body).to_string()), (StatusCode::OK, digest.clone()));
        assert_eq!(headers[header::CONTENT_TYPE], "application/vnd.oci.image.manifest.v1+json");
    }
    f.push_image("app", "v2", b"{ }").await;
    let (_, headers, body) = f.call(Method::GET, "/v2/app/tags/list?n=1", b"", &[]).await;
    assert_eq!(&body[..], br#"{"name":"app","tags":["v1"]}"#);
    assert!(headers[header::LINK].to_str().expect("text").contains("last=v1"));
    assert_eq!(f.call(Method::DELETE, "/v2/app/manifests/v2", b"", &[]).await.0, StatusCode::ACCEPTED);
    assert_eq!(
        f.call(Method::DELETE, &format!("/v2/app/manifests/{digest}"), b"", &[]).await.0,
        StatusCode::ACCEPTED
    );
    assert_eq!(f.call(Method::GET, "/v2/app/manifests/v1", b"", &[]).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn who_may_not_and_what_is_not_there() {
    let f = fixture().await;
    let bare = [("authorization", "")];
    let (status, headers, _) = f.call(Method::GET, "/v2/", b"", &bare).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(headers[header::WWW_AUTHENTICATE].to_str().expect("text").starts_with("Basic"));
    assert_eq!(f.call(Method::GET, "/v2/", b"", &[]).await.0, StatusCode::OK);
    assert_eq!(f.call(Method::GET, "/v2/none/tags/list", b"", &[]).await.0, StatusCode::NOT_FOUND);
    for path in ["/v2/App/tags/list", "/v2/a/../b/tags/list", "/v2/app/blobs/sha256:zz"] {
        assert_eq!(f.call(Method::GET, path, b"", &[]).await.0, StatusCode::BAD_REQUEST, "{path}");
    }
    assert_eq!(f.call(Method::PUT, "/v2/app/manifests/v1", b"{", &[]).await.0, StatusCode::BAD_REQUEST);
    let huge = vec![b' '; 5 << 20];
    assert_eq!(
        f.call(Method::PUT, "/v2/app/manifests/v1", &huge, &[]).await.0,
        StatusCode::PAYLOAD_TOO_LARGE
    );
}

#[tokio::test]
async fn blobs_are_seen_only_where_they_were_pushed() {
    let f = fixture().await;
    let digest = f.push_blob("app", b"secret").await;
    assert_eq!(
        f.call(Method::GET, &format!("/v2/other/blobs/{digest}"), b"", &[]).await.0,
        StatusCode::NOT_FOUND
    );
    let mount = format!("/v2/other/blobs/uploads/?mount={digest}&from=app");
    assert_eq!(f.call(Method::POST, &mount, b"", &[]).await.0, StatusCode::CREATED);
    assert_eq!(&f.call(Method::GET, &format!("/v2/other/blobs/{digest}"), b"", &[]).await.2[..], b"secret");
    let range = [("range", "bytes=1-3")];
    let (status, headers, body) = f.call(Method::GET, &format!("/v2/app/blobs/{digest}"), b"", &range).await;
    assert_eq!((status, &body[..]), (StatusCode::PARTIAL_CONTENT, &b"ecr"[..]));
    assert_eq!(headers[header::CONTENT_RANGE], "bytes 1-3/6");
}

#[tokio::test]
async fn mounting_can_be_turned_off_and_links_need_no_login() {
    let f = fixture().await;
    let digest = f.push_blob("app", b"secret").await;
    let account: AccountId = "123456789012".parse().expect("an account");
    let mut registry = resources::ecr::Registry::new(account.clone());
    registry.settings.insert("BLOB_MOUNTING".to_owned(), "DISABLED".to_owned());
    f.tables.create(registry).await.expect("creates");
    let mount = format!("/v2/other/blobs/uploads/?mount={digest}&from=app");
    assert_eq!(f.call(Method::POST, &mount, b"", &[]).await.0, StatusCode::ACCEPTED);
    let download = access::Download { account, repository: "app".to_owned(), digest: digest.to_string() };
    let token = f.registry.0.access.download_token(download);
    let nobody = [("authorization", "")];
    let (status, _, body) = f.call(Method::GET, &format!("/v2/_layers/{token}"), b"", &nobody).await;
    assert_eq!((status, &body[..]), (StatusCode::OK, &b"secret"[..]));
    let forged = format!("/v2/_layers/{}", &token[1..]);
    assert_eq!(f.call(Method::GET, &forged, b"", &nobody).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn uploads_in_chunks() {
    let f = fixture().await;
    let (_, headers, _) = f.call(Method::POST, "/v2/app/blobs/uploads/", b"", &[]).await;
    let location = headers[header::LOCATION].to_str().expect("text").to_owned();
    let first = f.call(Method::PATCH, &location, b"hello ", &[("content-range", "0-5")]).await;
    assert_eq!((first.0, first.1[header::RANGE].to_str().expect("text")), (StatusCode::ACCEPTED, "0-5"));
    let early = f.call(Method::PATCH, &location, b"x", &[("content-range", "9-9")]).await;
    assert_eq!(early.0, StatusCode::RANGE_NOT_SATISFIABLE);
    let lie = format!("{location}?digest={}", Digest::of(b"other"));
    let digest = Digest::of(b"hello world");
    let end = format!("{location}?digest={digest}");
    assert_eq!(f.call(Method::PUT, &end, b"world", &[]).await.0, StatusCode::CREATED);
    assert_eq!(f.call(Method::PUT, &lie, b"", &[]).await.0, StatusCode::NOT_FOUND);
    let (status, headers, body) = f.call(Method::HEAD, &format!("/v2/app/blobs/{digest}"), b"", &[]).await;
    assert_eq!(
        (status, headers[header::CONTENT_LENGTH].as_bytes(), body.len()),
        (StatusCode::OK, &b"11"[..], 0)
    );
}

#[tokio::test]
async fn immutable_tags_stay() {
    let f = fixture().await;
    f.push_image("fixed", "v1", b"{}").await;
    f.push_image("fixed", "v1", b"{}").await;
    let blob = f.push_blob("fixed", b"{ }").await;
    let manifest = format!(
        r#"{{"schemaVersion":2,"config":{{"mediaType":"x","digest":"{blob}","size":3}},"layers":[]}}"#
    );
    let (status, _, body) = f.call(Method::PUT, "/v2/fixed/manifests/v1", manifest.as_bytes(), &[]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(String::from_utf8_lossy(&body).contains("TAG_INVALID"));
}

#[tokio::test]
async fn referrers_are_found_by_subject_and_type() {
    let f = fixture().await;
    let subject = f.push_image("app", "v1", b"{}").await;
    let blob = f.push_blob("app", b"{}").await;
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"a/b","config":{{"mediaType":"x","digest":"{blob}","size":2}},"layers":[],"subject":{{"mediaType":"x","digest":"{subject}","size":1}}}}"#
    );
    let digest = Digest::of(manifest.as_bytes());
    let (_, headers, _) =
        f.call(Method::PUT, &format!("/v2/app/manifests/{digest}"), manifest.as_bytes(), &[]).await;
    assert_eq!(headers["oci-subject"], subject);
    for (query, count) in [("", 1), ("?artifactType=a/b", 1), ("?artifactType=c", 0)] {
        let (_, _, body) =
            f.call(Method::GET, &format!("/v2/app/referrers/{subject}{query}"), b"", &[]).await;
        let index: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(index["manifests"].as_array().map(Vec::len), Some(count), "{query}");
    }
}

#[tokio::test]
async fn collecting_keeps_what_is_used_or_young() {
    let f = fixture().await;
    f.push_image("app", "v1", b"{}").await;
    f.push_blob("app", b"unused").await;
    let images = &f.registry.0.images;
    let day = std::time::Duration::from_secs(24 * 3600);
    assert_eq!(
        images.collect(day).await.expect("collects"),
        image_registry::Collected::default(),
        "all is young"
    );
    // Times have milliseconds, and only what is older goes.
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    let collected = images.collect(std::time::Duration::ZERO).await.expect("collects");
    assert_eq!((collected.links, collected.blobs, collected.bytes), (1, 1, 6));
    let used = format!("/v2/app/blobs/{}", Digest::of(b"{}"));
    assert_eq!(f.status(Method::GET, &used).await, StatusCode::OK);
    assert_eq!(f.status(Method::DELETE, &used).await, StatusCode::METHOD_NOT_ALLOWED, "an image needs it");
    let verified = images.verify(true).await.expect("reads");
    assert_eq!((verified.blobs, verified.manifests, verified.faults), (1, 1, 0));
    std::fs::write(f.registry.0.blobs.local_path(&Digest::of(b"{}")).expect("a file"), b"[]")
        .expect("writes");
    let verified = images.verify(true).await.expect("reads");
    assert_eq!((verified.faults, verified.repaired), (1, 1));
    assert_eq!(f.status(Method::HEAD, &used).await, StatusCode::NOT_FOUND, "so that a push brings it back");
    f.push_image("app", "v1", b"{}").await;
    assert_eq!(images.verify(false).await.expect("reads").faults, 0);
}

#[tokio::test]
async fn gets_of_manifests_are_pulls() {
    let f = fixture().await;
    let digest = f.push_image("app", "v1", b"{}").await;
    for path in ["/v2/app/manifests/v1".to_owned(), format!("/v2/app/manifests/{digest}")] {
        assert_eq!(f.status(Method::GET, &path).await, StatusCode::OK);
        assert_eq!(f.status(Method::HEAD, &path).await, StatusCode::OK, "a look is no pull");
    }
    f.registry.0.images.pulls().write().await.expect("writes");
    let pulls = f.tables.list_all::<resources::ecr::ImagePulls>("").await.expect("lists");
    assert_eq!((pulls.len(), pulls[0].count), (1, 2));
    assert!(f.registry.metrics().contains("kind=\"manifest\",method=\"GET\",status=\"2xx\"} 2"));
}

#[tokio::test]
async fn requests_are_on_record_as_calls_of_ecr() {
    let f = fixture().await;
    let digest = f.push_image("app", "v1", b"config").await;
    let blob = Digest::of(b"config");
    for path in ["/v2/app/manifests/v1".to_owned(), format!("/v2/app/blobs/{blob}")] {
        assert_eq!(f.call(Method::GET, &path, b"", &[]).await.0, StatusCode::OK);
    }
    let missing = format!("/v2/app/blobs/{}", Digest::of(b"missing"));
    assert_eq!(f.call(Method::HEAD, &missing, b"", &[]).await.0, StatusCode::NOT_FOUND);
    let nowhere = f.call(Method::GET, "/v2/nowhere/manifests/v1", b"", &[]).await;
    assert_eq!(nowhere.0, StatusCode::NOT_FOUND);
    // Nobody known, and no call of ECR.
    f.call(Method::GET, "/v2/", b"", &[]).await;
    f.call(Method::GET, "/v2/app/manifests/v1", b"", &[("authorization", "Basic bm9ib2R5")]).await;
    let events = f.records().await;
    let code = |event: &StoredEvent| event.error.clone().map(|(code, _)| code).unwrap_or_default();
    let seen: Vec<_> =
        events.iter().map(|event| (event.name.as_str(), event.read_only, code(event))).collect();
    let none = String::new;
    assert_eq!(
        seen,
        [
            ("CompleteLayerUpload", false, none()),
            ("PutImage", false, none()),
            ("BatchGetImage", true, none()),
            ("GetDownloadUrlForLayer", true, none()),
            ("BatchCheckLayerAvailability", true, none()),
            ("BatchGetImage", true, "RepositoryNotFoundException".to_owned()),
        ]
    );
    let put = &events[1];
    assert_eq!((put.source.as_str(), put.identity.get().kind), ("ecr.amazonaws.com", "Root"));
    let json = |text: &Option<String>| -> serde_json::Value {
        serde_json::from_str(text.as_deref().expect("some")).expect("is JSON")
    };
    assert_eq!(
        json(&put.request_parameters),
        serde_json::json!({"registryId": "123456789012", "repositoryName": "app", "imageIds": [{"imageTag": "v1"}]})
    );
    let image = &json(&put.response_elements)["image"]["imageId"];
    assert_eq!(*image, serde_json::json!({"imageTag": "v1", "imageDigest": digest}));
    let arn = "arn:aws:ecr:us-east-1:123456789012:repository/app".to_owned();
    assert!(put.resources.contains(&("AWS::ECR::Repository".to_owned(), arn)));
}

#[tokio::test]
async fn a_denied_push_is_on_record() {
    let f = fixture().await;
    // The root of another account may do nothing here.
    let stranger: AccountId = "210987654321".parse().expect("an account");
    let password = f.registry.0.access.registry_token(&Caller::root(&stranger)).expect("a token").password;
    let token = base64::engine::general_purpose::STANDARD.encode(format!("AWS:{password}"));
    let login = format!("Basic {token}");
    let (status, ..) = f.call(Method::PUT, "/v2/app/manifests/v1", b"{}", &[("authorization", &login)]).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let query = |account: &str| Query {
        account: account.to_owned(),
        matching: None,
        from: Timestamp::from_seconds(0),
        until: Timestamp::from_seconds(i64::from(u32::MAX)),
        before: None,
        limit: 50,
    };
    let events = f.audit.search(&query("210987654321")).await.expect("searches").events;
    let (code, message) = events[0].error.as_ref().expect("is denied");
    assert_eq!((events[0].name.as_str(), code.as_str()), ("PutImage", "AccessDenied"));
    assert!(message.contains("ecr:PutImage"), "{message}");
    assert!(events[0].response_elements.is_none());
}
