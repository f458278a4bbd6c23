//! Registries and images that are wrong: each ends in an error that says so, and leaves nothing behind.

use crate::registry::{
    Auth, Fault, OCI_MANIFEST, Registry, images, noise, on_disk, options, settled, tar, with_password,
};
use bytes::Bytes;
use container_image::{LayerError, Limits, PullError, RegistryError};
use serde_json::json;
use std::time::Duration;

/// Pulls `app:v1`, which fails; nothing of it may be left.
async fn failure(registry: &Registry, limits: Limits) -> PullError {
    let (directory, images) = images(limits).await;
    let error = images.pull(&registry.reference("app:v1"), &options()).await.expect_err("must fail");
    assert_eq!(on_disk(&directory), (vec![], true), "{error}");
    println!("CannotPullContainerError: {error}");
    error
}

#[tokio::test]
async fn an_image_that_does_not_exist() {
    let registry = Registry::start(Auth::None).await;
    let error = failure(&registry, Limits::default()).await;
    let name = registry.reference("app:v1");
    assert_eq!(
        error.to_string(),
        format!(
            "pull image manifest has been retried 1 time(s): failed to resolve ref {name}: {name}: not found"
        )
    );
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn a_registry_that_is_not_there() {
    let (_directory, images) = images(Limits { attempts: 2, ..Limits::default() }).await;
    let error = images.pull("localhost:1/app:v1", &options()).await.expect_err("must fail");
    assert!(
        matches!(&error, PullError::Resolve { attempts: 2, cause: RegistryError::Request { .. }, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("Connection refused"), "{error}");
    assert!(error.is_retryable());
    // Not a name of this machine: spoken to by https, with this machine's certificate authorities.
    let error = images.pull("0.0.0.0:1/app:v1", &options()).await.expect_err("must fail");
    assert!(
        error.to_string().contains("Head \"https://0.0.0.0:1/")
            || error.to_string().contains("Get \"https://0.0.0.0:1/"),
        "{error}"
    );
    println!("{error}");
    let error = images.pull("no such/Reference", &options()).await.expect_err("must fail");
    assert!(matches!(error, PullError::Reference { .. }));
}

#[tokio::test]
async fn a_wrong_password() {
    let registry = Registry::start(Auth::Basic).await;
    registry.image("app:v1", &[tar(&[("a", b"1")])]);
    let (_directory, images) = images(Limits::default()).await;
    let error =
        images.pull(&registry.reference("app:v1"), &with_password("wrong")).await.expect_err("must fail");
    let expected = format!(
        "pulling from host {} failed with status code [manifests v1]: 401 Unauthorized",
        registry.host
    );
    assert!(error.to_string().ends_with(&expected), "{error}");
    assert!(!format!("{error:?}").contains("wrong"), "the password is not shown");
}

#[tokio::test]
async fn a_manifest_whose_digest_lies() {
    let registry = Registry::start(Auth::None).await;
    registry.image("app:v1", &[tar(&[("a", b"1")])]);
    registry.content.lock().lying_manifest_digest = Some(format!("sha256:{}", "0".repeat(64)));
    let error = failure(&registry, Limits::default()).await;
    assert!(
        matches!(&error, PullError::Unusable { reason, .. } if reason.contains("manifest has digest")),
        "{error}"
    );
    // Pinned by digest, another document under it.
    let pinned = format!("sha256:{}", "1".repeat(64));
    {
        let mut content = registry.content.lock();
        content.lying_manifest_digest = Some(pinned.clone());
        let document = content.manifests["app/v1"].clone();
        content.manifests.insert(format!("app/{pinned}"), document);
    }
    let (_directory, images) = images(Limits::default()).await;
    let reference = registry.reference(&format!("app@{pinned}"));
    let error = images.pull(&reference, &options()).await.expect_err("must fail");
    assert!(matches!(error, PullError::Unusable { .. }), "{error}");
}

#[tokio::test]
async fn a_configuration_that_lies() {
    let registry = Registry::start(Auth::None).await;
    let stored = registry.image("app:v1", &[tar(&[("a", b"1")])]);
    registry.fault(&stored.config, Fault::Lie(Bytes::from_static(b"{\"rootfs\":{}}")));
    let error = failure(&registry, Limits::default()).await;
    assert!(matches!(error, PullError::Extract { cause: LayerError::Digest { .. }, .. }), "{error}");
}

#[tokio::test]
async fn a_layer_whose_digest_lies() {
    let registry = Registry::start(Auth::None).await;
    let stored = registry.image("app:v1", &[tar(&[("a", &noise(200_000))])]);
    let honest = registry.content.lock().blobs[&stored.layers[0]].clone();
    // Damaged within, and a whole archive of the same length with other content.
    let mut damaged = honest.to_vec();
    damaged[100_000] ^= 1;
    let mut other = crate::registry::gzip(&tar(&[("a", &noise(190_000))]));
    other.resize(honest.len(), 0);
    for lie in [damaged, other] {
        registry.fault(&stored.layers[0], Fault::Lie(lie.into()));
        let error = failure(&registry, Limits::default()).await;
        assert!(matches!(error, PullError::Extract { cause: LayerError::Digest { .. }, .. }), "{error}");
    }
    let longer = [&honest[..], b"more"].concat();
    registry.fault(&stored.layers[0], Fault::Lie(longer.into()));
    let error = failure(&registry, Limits::default()).await;
    assert!(matches!(error, PullError::Extract { cause: LayerError::Size { .. }, .. }), "{error}");
}

#[tokio::test]
async fn a_layer_that_is_not_the_configurations() {
    let registry = Registry::start(Auth::None).await;
    let stored = registry.image("app:v1", &[tar(&[("a", b"1")])]);
    let (blob, size) = registry.blob(crate::registry::gzip(&tar(&[("a", b"2")])));
    let mut document = stored.document.clone();
    document["layers"][0]["digest"] = json!(blob);
    document["layers"][0]["size"] = json!(size);
    registry.manifest("app:v1", OCI_MANIFEST, &document);
    let error = failure(&registry, Limits::default()).await;
    assert!(matches!(error, PullError::Extract { cause: LayerError::DiffId { .. }, .. }), "{error}");

    document["layers"] = json!([]);
    registry.manifest("app:v1", OCI_MANIFEST, &document);
    assert!(matches!(failure(&registry, Limits::default()).await, PullError::Unusable { .. }));
    let mut document = stored.document;
    document["layers"][0]["mediaType"] = json!("application/vnd.example.wasm");
    registry.manifest("app:v1", OCI_MANIFEST, &document);
    assert!(matches!(failure(&registry, Limits::default()).await, PullError::Unusable { .. }));
}

#[tokio::test]
async fn a_truncated_layer() {
    let registry = Registry::start(Auth::None).await;
    let stored = registry.image("app:v1", &[tar(&[("a", &noise(200_000))])]);
    registry.fault(&stored.layers[0], Fault::Cut { after: 1000, times: 99 });
    let error = failure(&registry, Limits { attempts: 3, ..Limits::default() }).await;
    assert!(matches!(error, PullError::Fetch { attempts: 3, .. }), "{error}");
    assert!(error.is_retryable());
    // The blob itself is short: the answer ends in good order, but early.
    let short = registry.content.lock().blobs[&stored.layers[0]].slice(..1000);
    registry.fault(&stored.layers[0], Fault::Lie(short));
    let error = failure(&registry, Limits { attempts: 2, ..Limits::default() }).await;
    assert!(matches!(error, PullError::Fetch { attempts: 2, .. }), "{error}");
}

#[tokio::test]
async fn a_registry_that_stops_sending() {
    let registry = Registry::start(Auth::None).await;
    let stored = registry.image("app:v1", &[tar(&[("a", &noise(200_000))])]);
    registry.fault(&stored.layers[0], Fault::Stall { after: 1000 });
    let limits = Limits { attempts: 2, stall: Duration::from_millis(100), ..Limits::default() };
    let error = failure(&registry, limits).await;
    assert!(error.to_string().contains("stopped sending"), "{error}");
}

#[tokio::test]
async fn a_blob_that_is_gone() {
    let registry = Registry::start(Auth::None).await;
    let stored = registry.image("app:v1", &[tar(&[("a", b"1")]), tar(&[("b", b"2")])]);
    registry.content.lock().blobs.remove(&stored.layers[1]);
    let (directory, images) = images(Limits::default()).await;
    let error = images.pull(&registry.reference("app:v1"), &options()).await.expect_err("must fail");
    assert!(
        matches!(error, PullError::Fetch { attempts: 1, cause: RegistryError::NotFound { .. }, .. }),
        "{error}"
    );
    // The layer that came stays until a collection; no image, nothing unfinished.
    settled(&directory).await;
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while on_disk(&directory) != (vec![], true) {
        assert!(std::time::Instant::now() < deadline, "the layer stays");
        images.collect(Duration::ZERO).await.expect("collects");
    }
}

#[tokio::test]
async fn bombs_and_escapes() {
    let registry = Registry::start(Auth::None).await;
    let limits = Limits { unpacked_bytes: 1 << 20, entries: 50, ..Limits::default() };
    // Two layers that are within the bound each, but not together.
    let half = vec![0u8; 700_000];
    registry.image("app:v1", &[tar(&[("a", &half)]), tar(&[("b", &half)])]);
    let error = {
        let (directory, images) = images(limits.clone()).await;
        let error = images.pull(&registry.reference("app:v1"), &options()).await.expect_err("must fail");
        settled(&directory).await;
        error
    };
    assert!(matches!(error, PullError::Extract { cause: LayerError::TooLarge { .. }, .. }), "{error}");
    registry.image("app:v1", &[tar(&[("a", &vec![0u8; 16 << 20])])]);
    let error = failure(&registry, limits.clone()).await;
    assert!(matches!(error, PullError::Extract { cause: LayerError::TooLarge { .. }, .. }), "{error}");
    let names: Vec<String> = (0..60).map(|number| format!("f{number}")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    registry.image("app:v1", &[tar(&files)]);
    let error = failure(&registry, limits.clone()).await;
    assert!(matches!(error, PullError::Extract { cause: LayerError::TooManyEntries { .. }, .. }), "{error}");
    registry.image("app:v1", &[tar(&[("../../../escaped", b"gotcha")])]);
    let error = failure(&registry, limits).await;
    assert!(matches!(error, PullError::Extract { cause: LayerError::Entry { .. }, .. }), "{error}");
}

/// Mounts a small file system and unmounts it at the end.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new(size: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(directory.path())
            .status()
            .expect("mount runs");
        assert!(mounted.success(), "needs root");
        Self(directory)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk() {
    let registry = Registry::start(Auth::None).await;
    registry.image("app:v1", &[tar(&[("a", &noise(3 << 20))])]);
    registry.image("small:v1", &[tar(&[("a", b"1")])]);
    let disk = SmallDisk::new("2m");
    let images =
        container_image::Images::open(disk.0.path(), environment::Environment::real()).await.expect("opens");
    let error = images.pull(&registry.reference("app:v1"), &options()).await.expect_err("must fail");
    assert!(matches!(error, PullError::Extract { cause: LayerError::DiskFull, .. }), "{error}");
    assert!(error.to_string().ends_with("no space left on device"), "{error}");
    assert_eq!(on_disk(&disk.0), (vec![], true));
    // There is room again.
    images.pull(&registry.reference("small:v1"), &options()).await.expect("pulls");
    drop(images);
}
