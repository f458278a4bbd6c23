//! Layers that a registry on this machine hands over by reference.

use crate::registry::{Auth, PASSWORD, Registry, images, noise, on_disk, options, tar, with_password};
use container_image::{LayerError, Limits, LocalRegistry, PullError, PullOptions, RegistryError};
use registry_client::local::{LocalAnswer, read_request, write_answer};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::UnixListener;
use tokio::task::JoinHandle;

/// The socket of a registry, which answers each request with what `answer` says.
struct Socket {
    path: PathBuf,
    server: JoinHandle<()>,
    /// `Authorization` of each request.
    asked: Arc<parking_lot::Mutex<Vec<Option<String>>>>,
    _directory: tempfile::TempDir,
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Socket {
    fn new(answer: impl Fn(&str, &Path) -> (u16, Option<File>) + Send + Sync + 'static) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("socket");
        let files = directory.path().to_owned();
        let listener = UnixListener::bind(&path).expect("binds");
        let asked: Arc<parking_lot::Mutex<Vec<Option<String>>>> = Arc::default();
        let seen = asked.clone();
        let server = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let Ok(request) = read_request(&mut stream).await else { continue };
                seen.lock().push(request.authorization);
                let (status, file) = answer(&request.digest, &files);
                let _ = write_answer(&mut stream, &LocalAnswer { status }, file.as_ref()).await;
            }
        });
        Self { path, server, asked, _directory: directory }
    }

    /// Hands over these bytes, whatever is asked for.
    fn handing(bytes: Vec<u8>) -> Self {
        Self::new(move |_, files| {
            let path = files.join("blob");
            std::fs::write(&path, &bytes).expect("writes");
            let file = File::open(&path).expect("opens");
            // As a collector does that comes in between.
            std::fs::remove_file(&path).expect("removes");
            (200, Some(file))
        })
    }

    fn options(&self, registry: &Registry, options: PullOptions) -> PullOptions {
        let port: u16 = registry.host.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        let local = LocalRegistry {
            host: registry.host.clone(),
            address: ([127, 0, 0, 1], port).into(),
            socket: Some(self.path.clone()),
        };
        PullOptions { local_registries: vec![local], ..options }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_layer_by_reference_is_not_sent() {
    let registry = Registry::start(Auth::Basic).await;
    let content = noise(300_000);
    let stored = registry.image("app:v1", &[tar(&[("a", &content)])]);
    let blob = registry.content.lock().blobs[&stored.layers[0]].to_vec();
    let socket = Socket::handing(blob);
    let (_directory, images) = images(Limits::default()).await;
    let options = socket.options(&registry, with_password(PASSWORD));
    let image = images.pull(&registry.reference("app:v1"), &options).await.expect("pulls");
    assert!(std::fs::read(image.layers[0].join("a")).expect("there") == content);
    assert_eq!(registry.count(&format!("GET blobs/{}", stored.layers[0])), 0, "no byte by HTTP");
    assert_eq!(registry.count("GET blobs/"), 1, "the configuration");
    let asked = socket.asked.lock();
    let [Some(authorization)] = asked.as_slice() else { panic!("{asked:?}") };
    assert!(authorization.starts_with("Basic "), "the socket is asked with the pull's credentials");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_file_is_refused() {
    let registry = Registry::start(Auth::None).await;
    let stored = registry.image("app:v1", &[tar(&[("a", &noise(300_000))])]);
    let honest = registry.content.lock().blobs[&stored.layers[0]].to_vec();
    let mut flipped = honest.clone();
    flipped[150_000] ^= 1;
    // A sound archive of something else, as long as the layer.
    let mut other = crate::registry::gzip(&tar(&[("b", b"1")]));
    let header = [0x1f, 0x8b];
    assert!(other.starts_with(&header));
    other.resize(honest.len(), 0);
    for wrong in [flipped, other] {
        let socket = Socket::handing(wrong);
        let (directory, images) = images(Limits::default()).await;
        let options = socket.options(&registry, options());
        let error = images.pull(&registry.reference("app:v1"), &options).await.expect_err("must fail");
        assert!(matches!(error, PullError::Extract { cause: LayerError::Digest { .. }, .. }), "{error}");
        assert_eq!(on_disk(&directory), (vec![], true));
    }
    let socket = Socket::handing(honest[..1000].to_vec());
    let (_directory, images) = images(Limits::default()).await;
    let options = socket.options(&registry, options());
    let error = images.pull(&registry.reference("app:v1"), &options).await.expect_err("must fail");
    assert!(matches!(error, PullError::Extract { cause: LayerError::Size { .. }, .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_gets_nothing_and_what_is_no_file_comes_by_http() {
    let registry = Registry::start(Auth::None).await;
    let stored = registry.image("app:v1", &[tar(&[("a", b"1")])]);
    let layer = format!("GET blobs/{}", stored.layers[0]);
    let socket = Socket::new(|_, _| (403, None));
    let (directory, images_of_one) = images(Limits::default()).await;
    let denied = socket.options(&registry, options());
    let error = images_of_one.pull(&registry.reference("app:v1"), &denied).await.expect_err("must fail");
    assert!(matches!(error, PullError::Fetch { cause: RegistryError::Denied { .. }, .. }), "{error}");
    assert_eq!((on_disk(&directory), registry.count(&layer)), ((vec![], true), 0));
    for (by_http, status) in [(1, 204), (2, 500), (3, 401)] {
        let socket = Socket::new(move |_, _| (status, None));
        let (_directory, images) = images(Limits::default()).await;
        let options = socket.options(&registry, options());
        images.pull(&registry.reference("app:v1"), &options).await.expect("pulls");
        assert_eq!(registry.count(&layer), by_http, "{status}");
    }
    // A socket that is not there any more.
    let gone = Socket::new(|_, _| (204, None));
    std::fs::remove_file(&gone.path).expect("removes");
    let (_directory, images) = images(Limits::default()).await;
    let options = gone.options(&registry, options());
    images.pull(&registry.reference("app:v1"), &options).await.expect("pulls");
    assert_eq!(registry.count(&layer), 4);
}
