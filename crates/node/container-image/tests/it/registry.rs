//! A registry that does what a test wants: serve, ask for credentials, lie, stall, break off.

use bytes::Bytes;
use container_image::{BasicAuth, Digest, Images, Limits, PullOptions};
use environment::Environment;
use futures::StreamExt;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::convert::Infallible;
use std::io::Write;
use std::sync::Arc;
use tar::{Builder, EntryType, Header};

type Body = BoxBody<Bytes, std::io::Error>;

/// What goes wrong with one blob, until it does no more.
#[derive(Clone)]
pub enum Fault {
    /// The connection breaks after so many bytes; so many times.
    Cut { after: usize, times: usize },
    /// Other bytes than the digest promises.
    Lie(Bytes),
    /// Nothing comes after so many bytes.
    Stall { after: usize },
    /// So many answers with this status.
    Status { status: u16, times: usize },
    /// It is elsewhere.
    Redirect(String),
    /// The blob comes only once the test lets it.
    Gate(Arc<tokio::sync::Semaphore>),
    /// So many bytes come, and the rest once the test lets it.
    Pause { after: usize, gate: Arc<tokio::sync::Semaphore> },
    /// Every connection breaks after so many bytes.
    CutEach { after: usize },
    /// After so many answers of ranges, everything is sent instead.
    NoRangesAfter(usize),
    /// Answers of ranges are of the range beside it.
    WrongRange,
    /// Ranges are refused.
    NoRange,
    /// Answers end in good order after so many bytes, whatever range they claim to be.
    Short { after: usize },
    /// After so many answers there is another thing under the name, with its own tag.
    Changed { after: usize, bytes: Bytes },
}

#[derive(Clone, Copy, PartialEq)]
pub enum Auth {
    None,
    Basic,
    Bearer,
}

#[derive(Default)]
pub struct Content {
    pub blobs: HashMap<String, Bytes>,
    /// By `repository/target`: media type and document.
    pub manifests: HashMap<String, (String, Bytes)>,
    pub faults: HashMap<String, Fault>,
    /// `GET blobs/sha256:…` and so on, in order.
    pub log: Vec<String>,
    /// `Range` headers of requests for blobs, in order.
    pub ranges: Vec<String>,
    pub lying_manifest_digest: Option<String>,
}

pub struct Registry {
    pub content: Mutex<Content>,
    pub host: String,
    auth: Auth,
    server: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

impl Drop for Registry {
    fn drop(&mut self) {
        if let Some(server) = self.server.lock().take() {
            server.abort();
        }
    }
}

pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const USER: &str = "AWS";
pub const PASSWORD: &str = "secret";

impl Registry {
    pub async fn start(auth: Auth) -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let host = format!("localhost:{}", listener.local_addr().expect("bound").port());
        let registry = Arc::new(Self { content: Mutex::default(), host, auth, server: Mutex::new(None) });
        let weak = Arc::downgrade(&registry);
        let server = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                let weak = weak.clone();
                tokio::spawn(async move {
                    let service = service_fn(|request| {
                        let registry = weak.upgrade();
                        async move {
                            match registry {
                                Some(registry) => registry.answer(request).await,
                                None => Ok(status(503)),
                            }
                        }
                    });
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        *registry.server.lock() = Some(server);
        registry
    }

    pub fn reference(&self, rest: &str) -> String {
        format!("{}/{rest}", self.host)
    }

    /// How often something was asked for.
    pub fn count(&self, prefix: &str) -> usize {
        self.content.lock().log.iter().filter(|line| line.starts_with(prefix)).count()
    }

    pub fn fault(&self, digest: &str, fault: Fault) {
        self.content.lock().faults.insert(digest.to_owned(), fault);
    }

    pub fn blob(&self, bytes: impl Into<Bytes>) -> (String, usize) {
        let bytes = bytes.into();
        let digest = Digest::of(&bytes).to_string();
        let length = bytes.len();
        self.content.lock().blobs.insert(digest.clone(), bytes);
        (digest, length)
    }

    pub fn manifest(&self, name: &str, media_type: &str, document: &Value) -> String {
        let bytes = Bytes::from(document.to_string());
        let digest = Digest::of(&bytes).to_string();
        let repository = name.split(':').next().expect("a name");
        let mut content = self.content.lock();
        for key in [name.replacen(':', "/", 1), format!("{repository}/{digest}")] {
            content.manifests.insert(key, (media_type.to_owned(), bytes.clone()));
        }
        digest
    }

    /// Stores an image of these layers (uncompressed tars, sent as gzip) and answers manifest and blob digests.
    pub fn image(&self, name: &str, layers: &[Vec<u8>]) -> Stored {
        self.image_for(name, layers, "amd64")
    }

    pub fn image_for(&self, name: &str, layers: &[Vec<u8>], architecture: &str) -> Stored {
        let gzip_type = "application/vnd.oci.image.layer.v1.tar+gzip";
        let layers: Vec<_> = layers.iter().map(|layer| (layer.as_slice(), gzip(layer), gzip_type)).collect();
        self.image_of(name, &layers, architecture)
    }

    /// Stores an image of layers that are given as tar, as they are sent, and with their media types.
    pub fn image_of(&self, name: &str, layers: &[(&[u8], Vec<u8>, &str)], architecture: &str) -> Stored {
        let diff_ids: Vec<String> = layers.iter().map(|(tar, ..)| Digest::of(tar).to_string()).collect();
        let blobs: Vec<(String, usize)> = layers.iter().map(|(_, sent, _)| self.blob(sent.clone())).collect();
        let config = json!({
            "architecture": architecture, "os": "linux",
            "config": { "Entrypoint": ["/bin/app"], "Env": ["A=b"] },
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        let (config_digest, config_size) = self.blob(config.to_string());
        let document = json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST,
            "config": { "mediaType": "application/vnd.oci.image.config.v1+json",
                        "digest": config_digest, "size": config_size },
            "layers": blobs.iter().zip(layers).map(|((digest, size), (.., media_type))| json!({
                "mediaType": media_type, "digest": digest, "size": size,
            })).collect::<Vec<_>>(),
        });
        let manifest = self.manifest(name, OCI_MANIFEST, &document);
        Stored {
            manifest,
            config: config_digest,
            layers: blobs.into_iter().map(|(digest, _)| digest).collect(),
            document,
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        let path = request.uri().path().to_owned();
        if path == "/token" {
            return Ok(self.token(&request));
        }
        if let Some(refusal) = self.refusal(&request) {
            return Ok(refusal);
        }
        let Some(rest) = path.strip_prefix("/v2/") else { return Ok(status(404)) };
        for kind in ["manifests/", "blobs/uploads", "blobs/"] {
            if let Some((repository, target)) = rest.split_once(&format!("/{kind}")) {
                let (repository, target) = (repository.to_owned(), target.to_owned());
                self.content.lock().log.push(format!("{} {kind}{target}", request.method()));
                return Ok(match kind {
                    "manifests/" => self.serve_manifest(&repository, &target, request).await,
                    "blobs/" => self.serve_blob(&target, &request).await,
                    _ => self.upload(&repository, request).await,
                });
            }
        }
        Ok(status(404))
    }

    fn refusal(&self, request: &Request<Incoming>) -> Option<Response<Body>> {
        let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let (wanted, challenge) = match self.auth {
            Auth::None => return None,
            Auth::Basic => {
                use base64::Engine as _;
                let encoded = base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{PASSWORD}"));
                (format!("Basic {encoded}"), "Basic realm=\"x\",service=\"ecr\"".to_owned())
            }
            Auth::Bearer => (
                "Bearer t0ken".to_owned(),
                format!("Bearer realm=\"http://{}/token\",service=\"here\"", self.host),
            ),
        };
        (given != Some(wanted.as_str())).then(|| {
            self.content.lock().log.push("401".to_owned());
            let mut answer = status(401);
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, challenge.parse().expect("a header"));
            answer
        })
    }

    fn token(&self, request: &Request<Incoming>) -> Response<Body> {
        self.content.lock().log.push(format!("token {}", request.uri().query().unwrap_or_default()));
        if request.headers().contains_key(header::AUTHORIZATION) {
            full(200, json!({ "token": "t0ken", "access_token": "t0ken", "expires_in": 300 }).to_string())
        } else {
            status(401)
        }
    }

    async fn serve_manifest(
        &self,
        repository: &str,
        target: &str,
        request: Request<Incoming>,
    ) -> Response<Body> {
        if request.method() == Method::PUT {
            let media_type = request.headers()[header::CONTENT_TYPE].to_str().expect("text").to_owned();
            let bytes = request.into_body().collect().await.expect("a body").to_bytes();
            let digest = Digest::of(&bytes);
            let mut content = self.content.lock();
            for target in [target, digest.as_str()] {
                content
                    .manifests
                    .insert(format!("{repository}/{target}"), (media_type.clone(), bytes.clone()));
            }
            return status(201);
        }
        let content = self.content.lock();
        let Some((media_type, bytes)) = content.manifests.get(&format!("{repository}/{target}")) else {
            return status(404);
        };
        let digest = content.lying_manifest_digest.clone().unwrap_or_else(|| Digest::of(bytes).to_string());
        let body = if request.method() == Method::HEAD { Bytes::new() } else { bytes.clone() };
        let mut answer = full(200, body);
        answer.headers_mut().insert("docker-content-digest", digest.parse().expect("a header"));
        answer.headers_mut().insert(header::CONTENT_TYPE, media_type.parse().expect("a header"));
        answer
    }

    async fn serve_blob(&self, digest: &str, request: &Request<Incoming>) -> Response<Body> {
        let (fault, bytes) = {
            let mut content = self.content.lock();
            let fault = content.faults.get(digest).cloned();
            match content.faults.get_mut(digest) {
                Some(Fault::Cut { times, .. } | Fault::Status { times, .. }) if *times > 1 => *times -= 1,
                Some(Fault::Cut { .. } | Fault::Status { .. }) => drop(content.faults.remove(digest)),
                _ => {}
            }
            (fault, content.blobs.get(digest).cloned())
        };
        let Some(bytes) = bytes else { return status(404) };
        let range = request.headers().get(header::RANGE).and_then(|value| value.to_str().ok());
        let asked = {
            let mut content = self.content.lock();
            content.ranges.extend(range.map(str::to_owned));
            content.ranges.len()
        };
        let range = range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
        let mut range = range.map(|(first, last)| {
            let first: usize = first.parse().expect("a number");
            (first, last.parse().map_or(bytes.len(), |last: usize| (last + 1).min(bytes.len())))
        });
        let (mut bytes, mut tag) = (bytes, "\"1\"");
        match &fault {
            Some(Fault::NoRange) if range.is_some() => return status(416),
            Some(Fault::NoRangesAfter(after)) if asked > *after => range = None,
            Some(Fault::WrongRange) => range = range.map(|(first, last)| (first + 1, last)),
            Some(Fault::Changed { after, bytes: other }) if asked > *after => {
                bytes = other.clone();
                tag = "\"2\"";
            }
            _ => {}
        }
        let (first, end) = range.unwrap_or((0, bytes.len()));
        let end = end.min(bytes.len());
        let rest = bytes.slice(first.min(end)..end);
        let start = |after: usize| rest.slice(..after.min(rest.len()));
        // What was to come before is sent only when the body makes the server wait.
        let cut = || {
            futures::stream::once(async {
                tokio::task::yield_now().await;
                Err(std::io::Error::other("cut"))
            })
        };
        let mut answer = match fault {
            Some(Fault::Lie(other)) => full(200, other),
            Some(Fault::Status { status: code, .. }) => return status(code),
            Some(Fault::Redirect(location)) => {
                let mut answer = status(307);
                answer.headers_mut().insert(header::LOCATION, location.parse().expect("a header"));
                return answer;
            }
            Some(Fault::Cut { after, .. } | Fault::CutEach { after }) => {
                broken_off(start(after), rest.len(), cut())
            }
            Some(Fault::Stall { after }) => broken_off(start(after), rest.len(), futures::stream::pending()),
            Some(Fault::Pause { after, gate }) => {
                let later = rest.slice(after.min(rest.len())..);
                let then = futures::stream::once(async move {
                    let _open = gate.acquire().await.expect("never closed");
                    Ok(later)
                });
                broken_off(start(after), rest.len(), then)
            }
            Some(Fault::Short { after }) => full(200, start(after)),
            Some(Fault::Gate(gate)) => {
                let _open = gate.acquire().await.expect("never closed");
                full(200, rest)
            }
            _ => full(200, rest),
        };
        answer.headers_mut().insert(header::ETAG, tag.parse().expect("a header"));
        if range.is_some() {
            *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
            let range = format!("bytes {first}-{}/{}", end.saturating_sub(1), bytes.len());
            answer.headers_mut().insert(header::CONTENT_RANGE, range.parse().expect("a header"));
        }
        answer
    }

    async fn upload(&self, repository: &str, request: Request<Incoming>) -> Response<Body> {
        if request.method() == Method::POST {
            let mut answer = status(202);
            let location = format!("http://{}/v2/{repository}/blobs/uploads/1?state=x", self.host);
            answer.headers_mut().insert(header::LOCATION, location.parse().expect("a header"));
            return answer;
        }
        let query = request.uri().query().unwrap_or_default().to_owned();
        let bytes = request.into_body().collect().await.expect("a body").to_bytes();
        let digest = Digest::of(&bytes).to_string();
        if !query.contains("state=x") || !query.contains(&format!("digest={digest}")) {
            return status(400);
        }
        self.content.lock().blobs.insert(digest, bytes);
        status(201)
    }
}

/// What an image consists of at the registry.
pub struct Stored {
    pub manifest: String,
    pub config: String,
    pub layers: Vec<String>,
    pub document: Value,
}

fn status(code: u16) -> Response<Body> {
    full(code, Bytes::new())
}

fn full(code: u16, body: impl Into<Bytes>) -> Response<Body> {
    let body = Full::new(body.into()).map_err(|never| match never {}).boxed();
    Response::builder().status(code).body(body).expect("an answer")
}

/// An answer that promises `length` bytes, sends the first ones and goes on with `then`.
fn broken_off(
    start: Bytes,
    length: usize,
    then: impl futures::Stream<Item = Result<Bytes, std::io::Error>> + Send + Sync + 'static,
) -> Response<Body> {
    let stream = futures::stream::once(async { Ok(start) }).chain(then).map(|part| part.map(Frame::data));
    Response::builder()
        .header(header::CONTENT_LENGTH, length)
        .body(BodyExt::boxed(StreamBody::new(stream)))
        .expect("an answer")
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).expect("compresses");
    gzip.finish().expect("compresses")
}

/// A tar of regular files, and of directories for names that end with a slash.
pub fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = Header::new_gnu();
        header.set_entry_type(if path.ends_with('/') { EntryType::Directory } else { EntryType::Regular });
        header.as_gnu_mut().expect("gnu").name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_mode(if path.ends_with('/') { 0o755 } else { 0o644 });
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1);
        header.set_size(content.len() as u64);
        header.set_cksum();
        builder.append(&header, *content).expect("appends");
    }
    builder.into_inner().expect("ends")
}

/// Bytes that compress badly, so that a layer is as long on the way as it is here.
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect()
}

pub fn options() -> PullOptions {
    PullOptions {
        platform: Some(container_image::Platform {
            os: "linux".to_owned(),
            architecture: "amd64".to_owned(),
            variant: None,
        }),
        ..PullOptions::default()
    }
}

pub fn with_password(password: &str) -> PullOptions {
    let auth = BasicAuth { username: USER.to_owned(), password: password.to_owned() };
    PullOptions { auth: Some(auth), ..options() }
}

pub async fn images(limits: Limits) -> (tempfile::TempDir, Images) {
    let directory = tempfile::tempdir().expect("a directory");
    let images =
        Images::open_with_limits(directory.path(), limits, Environment::real()).await.expect("opens");
    (directory, images)
}

/// Waits until no layer is unfinished: those that a failed pull gave up are removed by their own threads.
pub async fn settled(directory: &tempfile::TempDir) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while !on_disk(directory).1 {
        assert!(std::time::Instant::now() < deadline, "unfinished layers stay");
        tokio::task::yield_now().await;
    }
}

/// Names of the layer directories, and whether the place for unfinished ones is empty.
pub fn on_disk(directory: &tempfile::TempDir) -> (Vec<String>, bool) {
    let names = |kind: &str| -> Vec<String> {
        let entries = std::fs::read_dir(directory.path().join(kind)).expect("there");
        entries.map(|entry| entry.expect("read").file_name().to_string_lossy().into_owned()).collect()
    };
    let layers = names("layers").into_iter().filter(|name| !name.contains('.')).collect();
    (layers, names("work").is_empty())
}
