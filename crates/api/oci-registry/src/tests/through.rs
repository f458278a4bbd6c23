//! Images of another registry, which is one of ours that listens on a port of its own.

use super::*;
use crate::pull_through::Upstreams;
use environment::{Simulation, Timestamp};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use resources::ecr::{EventKind, PullThroughCacheRule};
use resources::secrets::{CURRENT, Secret, SecretVersion, ValueKind, VersionInfo};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The other registry.
struct Upstream {
    fixture: Fixture,
    address: std::net::SocketAddr,
    /// Requests by method and path.
    asked: Arc<Mutex<BTreeMap<String, usize>>>,
    server: tokio::task::JoinHandle<()>,
}

impl Upstream {
    async fn start() -> Self {
        let fixture = fixture().await;
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("binds");
        let address = listener.local_addr().expect("an address");
        let asked: Arc<Mutex<BTreeMap<String, usize>>> = Arc::default();
        let (registry, counted) = (fixture.registry.clone(), asked.clone());
        let server = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (registry, counted) = (registry.clone(), counted.clone());
                let service = service_fn(move |request: http::Request<Incoming>| {
                    let (registry, counted) = (registry.clone(), counted.clone());
                    async move {
                        let key = format!("{} {}", request.method(), request.uri().path());
                        let response = registry.handle(request).await;
                        if response.status() != StatusCode::UNAUTHORIZED {
                            *counted.lock().expect("counts").entry(key).or_default() += 1;
                        }
                        Ok::<_, std::convert::Infallible>(response)
                    }
                });
                connections.spawn(async move {
                    let _ = Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self { fixture, address, asked, server }
    }

    fn times(&self, request: &str) -> usize {
        self.asked.lock().expect("counts").get(request).copied().unwrap_or(0)
    }
}

/// A registry with a rule for the other one, and a secret with the credentials for it.
async fn region_for(upstream: &Upstream) -> (Fixture, Arc<Simulation>) {
    let (environment, clock) = Environment::simulated(Timestamp::from_seconds(1_700_000_000), 3);
    let mut f = fixture_in(environment).await;
    let password = String::from_utf8(
        base64::engine::general_purpose::STANDARD.decode(&upstream.fixture.token).expect("base64"),
    );
    let password = password.expect("text").split_once(':').expect("a password").1.to_owned();
    let now = f.tables.environment().now();
    let secret = Secret {
        account: "123456789012".to_owned(),
        region: "us-east-1".to_owned(),
        name: "ecr-pullthroughcache/other".to_owned(),
        suffix: "AbCdEf".to_owned(),
        id: "one".to_owned(),
        description: None,
        kms_key_id: None,
        tags: None,
        policy: None,
        created_at: now,
        changed_at: now,
        deletion: None,
        rotation: None,
        versions: vec![VersionInfo { id: "v".to_owned(), stages: vec![CURRENT.to_owned()], created_at: now }],
    };
    let login = format!(r#"{{"username":"AWS","accessToken":"{password}"}}"#);
    let sealed = f.keys.seal(&SecretVersion::purpose_of(&secret.account, "one", "v"), login.as_bytes());
    let version = SecretVersion {
        account: secret.account.clone(),
        secret_id: "one".to_owned(),
        id: "v".to_owned(),
        kind: ValueKind::Text,
        sealed: resources::sealed::SealedText::new(sealed),
    };
    let rule = PullThroughCacheRule {
        account: f.registry.0.config.account.clone(),
        prefix: "other".to_owned(),
        upstream_url: upstream.address.to_string(),
        upstream_registry: None,
        upstream_prefix: None,
        credential_arn: Some(secret.arn()),
        custom_role_arn: None,
        created_at: now,
        updated_at: now,
    };
    f.tables.create(secret).await.expect("creates");
    f.tables.create(version).await.expect("creates");
    f.tables.create(rule).await.expect("creates");
    let keys = Some(f.keys.clone());
    let config = RegistryConfig {
        upstreams: Upstreams { keys, ..Upstreams::default() },
        ..f.registry.0.config.clone()
    };
    f.registry = Registry::new(f.registry.0.images.clone(), f.access.clone(), config);
    (f, clock)
}

/// Waits until the image is kept, which goes on after its manifest was answered.
async fn kept(f: &Fixture, clock: &Simulation, reference: &str) {
    let row = format!("123456789012/other/app@{reference}");
    for _ in 0..2_000 {
        if f.tables.get::<resources::ecr::Image>(&row).await.expect("reads").is_some()
            || f.tables.get::<resources::ecr::ImageTag>(&row).await.expect("reads").is_some()
        {
            return;
        }
        // Who follows a blob waits on the region's clock.
        clock.advance(Duration::from_millis(1));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("{reference} was not kept");
}

#[tokio::test]
async fn images_are_fetched_once_and_kept() {
    let upstream = Upstream::start().await;
    let layer: Vec<u8> = (0..3_000_000u32).map(|i| (i % 251) as u8).collect();
    let digest = upstream.fixture.push_image("app", "v1", &layer).await;
    let (f, clock) = region_for(&upstream).await;
    let f = Arc::new(f);
    let blob = format!("/v2/other/app/blobs/{}", Digest::of(&layer));
    // Eight clients at once, each with manifest and layer; the clock goes on for those who wait.
    let clients = (0..8).map(|_| {
        let (f, blob) = (f.clone(), blob.clone());
        tokio::spawn(async move {
            let (status, headers, manifest) = f.get("/v2/other/app/manifests/v1").await;
            assert_eq!(status, StatusCode::OK, "{manifest:?}");
            let (status, _, content) = f.get(&blob).await;
            assert_eq!(status, StatusCode::OK);
            (
                headers["docker-content-digest"].to_str().expect("text").to_owned(),
                Digest::of(&manifest),
                Digest::of(&content),
            )
        })
    });
    let clients: Vec<_> = clients.collect();
    let ticking = clock.clone();
    let ticker = tokio::spawn(async move {
        loop {
            ticking.advance(Duration::from_millis(5));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    for client in clients {
        let (said, manifest, content) = client.await.expect("pulls");
        assert_eq!((said.as_str(), manifest.to_string()), (digest.as_str(), digest.clone()));
        assert_eq!(content, Digest::of(&layer));
    }
    ticker.abort();
    kept(&f, &clock, "v1").await;
    assert_eq!(upstream.times(&format!("GET /v2/app/blobs/{}", Digest::of(&layer))), 1, "one fetch for all");
    assert!(upstream.times("GET /v2/app/manifests/v1") <= 2, "{:?}", upstream.asked);
    let verified = f.registry.0.images.verify(false).await.expect("reads");
    assert_eq!((verified.blobs, verified.manifests, verified.faults), (1, 1, 0));
    // From now on the other one is not asked, for a day; then only whether the tag has moved.
    let asked: usize = upstream.asked.lock().expect("counts").values().sum();
    for _ in 0..3 {
        assert_eq!(f.status(Method::GET, "/v2/other/app/manifests/v1").await, StatusCode::OK);
        assert_eq!(f.status(Method::GET, &blob).await, StatusCode::OK);
    }
    assert_eq!(upstream.asked.lock().expect("counts").values().sum::<usize>(), asked);
    upstream.fixture.push_image("app", "v2", b"other").await;
    let moved = upstream.fixture.get("/v2/app/manifests/v2").await.2;
    let put = upstream.fixture.call(Method::PUT, "/v2/app/manifests/v1", &moved, &[]).await;
    assert_eq!(put.0, StatusCode::CREATED);
    let (_, headers, _) = f.get("/v2/other/app/manifests/v1").await;
    assert_eq!(headers["docker-content-digest"], digest, "not looked at again yet");
    clock.advance(Duration::from_secs(24 * 3600 + 1));
    let mut f = Arc::into_inner(f).expect("the clients are done");
    relogin(&mut f);
    let (status, headers, body) = f.get("/v2/other/app/manifests/v1").await;
    assert_eq!(
        (status, headers["docker-content-digest"].to_str().ok()),
        (StatusCode::OK, Some(Digest::of(&moved).to_string().as_str())),
        "{body:?}"
    );
    kept(&f, &clock, &Digest::of(&moved).to_string()).await;
    // The other registry is away: what is here is answered, also when the look is overdue.
    upstream.server.abort();
    clock.advance(Duration::from_secs(24 * 3600 + 1));
    relogin(&mut f);
    let (status, headers, _) = f.get("/v2/other/app/manifests/v1").await;
    assert_eq!(
        (status, headers["docker-content-digest"].to_str().ok()),
        (StatusCode::OK, Some(Digest::of(&moved).to_string().as_str()))
    );
    assert_eq!(f.status(Method::GET, "/v2/other/never/manifests/v1").await, StatusCode::BAD_GATEWAY);
    let events = f.tables.list_all::<resources::ecr::Event>("").await.expect("lists");
    let through = |failed: bool| {
        let of_kind = |kind: &EventKind| matches!(kind, EventKind::PullThroughCache { failure, .. } if failure.is_some() == failed);
        events.iter().filter(|event| of_kind(&event.kind)).count()
    };
    assert!(through(false) >= 2 && through(true) >= 2, "{events:?}");
}

fn relogin(f: &mut Fixture) {
    let account = f.registry.0.config.account.clone();
    let password = f.access.registry_token(&Caller::root(&account)).expect("a token").password;
    f.token = base64::engine::general_purpose::STANDARD.encode(format!("AWS:{password}"));
}

#[tokio::test]
async fn an_index_is_kept_with_what_was_asked_for() {
    let upstream = Upstream::start().await;
    let (one, two) = (
        upstream.fixture.push_image("app", "one", b"1").await,
        upstream.fixture.push_image("app", "two", b"2").await,
    );
    let child = |digest: &str| serde_json::json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 1});
    let index =
        serde_json::json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [child(&one), child(&two)]})
        .to_string();
    let put = upstream.fixture.call(Method::PUT, "/v2/app/manifests/multi", index.as_bytes(), &[]).await;
    assert_eq!(put.0, StatusCode::CREATED);
    let (f, clock) = region_for(&upstream).await;
    let (status, headers, body) = f.get("/v2/other/app/manifests/multi").await;
    assert_eq!((status, &body[..]), (StatusCode::OK, index.as_bytes()));
    assert_eq!(headers["docker-content-digest"], Digest::of(index.as_bytes()).to_string());
    assert_eq!(f.status(Method::GET, &format!("/v2/other/app/manifests/{two}")).await, StatusCode::OK);
    kept(&f, &clock, &two).await;
    let images = f.tables.list_all::<resources::ecr::Image>("").await.expect("lists");
    let mut digests: Vec<_> = images.iter().map(|image| image.digest.clone()).collect();
    digests.sort();
    let mut expected = vec![two, Digest::of(index.as_bytes()).to_string()];
    expected.sort();
    assert_eq!(digests, expected);
    assert_eq!(f.status(Method::GET, "/v2/other/app/manifests/none").await, StatusCode::NOT_FOUND);
    // A repository that no rule is about stays unknown.
    assert_eq!(f.status(Method::GET, "/v2/elsewhere/app/manifests/multi").await, StatusCode::NOT_FOUND);
}
