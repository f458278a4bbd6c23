//! Talks to registries: one pool of connections, authentication, redirects, time limits.
//!
//! Knows HTTP and the distribution protocol's addresses; what the documents mean is the callers' business.

mod auth;
mod content;
mod parts;
mod upload;

pub use content::{BlobStream, Fetched};
pub use parts::{BlobPart, BlobPlace};
pub use upload::Upload;

use crate::error::RegistryError;
use crate::reach::{BasicAuth, Reach};
use crate::reference::Reference;
use auth::Authorizer;
use bytes::Bytes;
use environment::Environment;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(15);
/// Longest wait for the head of an answer.
const ANSWER: Duration = Duration::from_secs(30);
/// How long an unused connection is kept.
const KEEP: Duration = Duration::from_secs(30);
/// Longest wait for a blob by reference, which takes no bytes.
const HAND_OVER: Duration = Duration::from_secs(10);
/// Redirects followed for one blob.
const MAX_REDIRECTS: usize = 5;

type SecureClient = Result<HttpClient<HttpsConnector<HttpConnector>, Full<Bytes>>, String>;

/// What we can read, in the `Accept` header of a manifest request.
const ACCEPT: &str = "application/vnd.oci.image.manifest.v1+json, \
     application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json, \
     application/vnd.docker.distribution.manifest.list.v2+json";

/// A client for any number of registries.
pub struct Client {
    tcp: HttpConnector,
    plain: HttpClient<HttpConnector, Full<Bytes>>,
    /// Made when first needed: reading the authorities takes longer than a local pull.
    secure: OnceLock<SecureClient>,
    authorizer: Authorizer,
    environment: Environment,
    /// Longest silence within a body.
    stall: Duration,
}

/// One repository at one registry, and how to reach it.
#[derive(Clone, Debug)]
pub struct Repository {
    /// The registry as the reference names it; sent as `Host`.
    host: String,
    /// `http://127.0.0.1:4566` or `https://ghcr.io`.
    base: String,
    plain: bool,
    name: String,
    auth: Option<BasicAuth>,
    /// Sent with every request to the registry itself.
    headers: Vec<(header::HeaderName, HeaderValue)>,
    /// Where the registry hands blobs over by reference.
    socket: Option<PathBuf>,
}

impl Repository {
    /// A repository of the registry at an endpoint, `https://region.example` or `http://127.0.0.1:4566`.
    pub fn at(endpoint: &str, name: &str, auth: Option<BasicAuth>) -> Self {
        let base = endpoint.trim_end_matches('/');
        let host = base.split_once("://").map_or(base, |(_, host)| host);
        Self {
            host: host.to_owned(),
            plain: base.starts_with("http://"),
            base: base.to_owned(),
            name: name.to_owned(),
            auth,
            headers: vec![],
            socket: None,
        }
    }

    /// The same, with a header in every request.
    pub fn with_header(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The repository of a reference, at the address that `options` say.
    pub fn new(reference: &Reference, options: &Reach) -> Self {
        let host = reference.host();
        let known = options.local_registries.iter().find(|local| local.is(reference.registry()));
        let plain = known.is_some() || is_loopback(host) || options.insecure_hosts.iter().any(|h| h == host);
        let base = match known {
            Some(local) => format!("http://{}", local.address),
            None if plain => format!("http://{}", loopback_address(host)),
            None => format!("https://{host}"),
        };
        Self {
            host: host.to_owned(),
            base,
            plain,
            name: reference.repository().to_owned(),
            auth: options.auth.clone(),
            headers: vec![],
            socket: known.and_then(|local| local.socket.clone()),
        }
    }

    /// An address that names this registry by its own name, as one that reaches it.
    fn through_base(&self, url: &str) -> String {
        let own = format!("{}://{}/", if self.plain { "http" } else { "https" }, self.host);
        url.strip_prefix(&own).map_or_else(|| url.to_owned(), |rest| format!("{}/{rest}", self.base))
    }

    /// The address by which a registry shows that it is one.
    fn root(&self) -> String {
        format!("{}/v2/", self.base)
    }

    /// The address of something in the repository, such as `blobs/sha256:...`.
    pub fn url(&self, rest: &str) -> String {
        format!("{}/v2/{}/{rest}", self.base, self.name)
    }
}

/// Names that mean this machine, which browsers and docker too treat as reachable without TLS.
fn is_loopback(host: &str) -> bool {
    let name = host_name(host);
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// `*.localhost` is not resolved by every machine's resolver, so it is not asked.
fn loopback_address(host: &str) -> String {
    let name = host_name(host);
    if name == "localhost" || name.ends_with(".localhost") {
        format!("127.0.0.1{}", &host[name.len()..])
    } else {
        host.to_owned()
    }
}

fn host_name(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.split(':').next().unwrap_or(host),
    }
}

/// One request to a repository.
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: Vec<(header::HeaderName, String)>,
    pub(crate) body: Bytes,
    pub(crate) repository: &'a Repository,
    /// `pull` or `pull,push`
    pub(crate) actions: &'static str,
}

impl Client {
    /// A client that waits for `stall` within an answer, and not longer.
    pub fn new(environment: Environment, stall: Duration) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT));
        tcp.set_nodelay(true);
        Self {
            plain: pooled(tcp.clone()),
            secure: OnceLock::new(),
            tcp,
            authorizer: Authorizer::default(),
            environment,
            stall,
        }
    }

    /// Sends a call, authenticating as the registry asks for it. Any answer but 401 is handed back as it is.
    pub(crate) async fn send(&self, call: &Call<'_>) -> Result<Response<Incoming>, RegistryError> {
        let known = self.authorizer.header(self, call.repository, call.actions).await?;
        let answer = self.send_once(call, known.as_ref()).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let headers = answer.headers().clone();
        drain(answer).await;
        match self.authorizer.challenged(self, call.repository, call.actions, &headers).await? {
            // Asked for what we have just sent, or for nothing we can give.
            None => Err(denied(call, StatusCode::UNAUTHORIZED)),
            fresh if fresh == known => Err(denied(call, StatusCode::UNAUTHORIZED)),
            fresh => {
                let answer = self.send_once(call, fresh.as_ref()).await?;
                if answer.status() == StatusCode::UNAUTHORIZED {
                    drain(answer).await;
                    return Err(denied(call, StatusCode::UNAUTHORIZED));
                }
                Ok(answer)
            }
        }
    }

    async fn send_once(
        &self,
        call: &Call<'_>,
        authorization: Option<&HeaderValue>,
    ) -> Result<Response<Incoming>, RegistryError> {
        // What lies elsewhere (an upload's Location, say) does not get this registry's credentials.
        let ours = call.url.starts_with(&format!("{}/", call.repository.base));
        let mut request = Request::builder().method(call.method.clone()).uri(&call.url);
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        if ours {
            request = request.header(header::HOST, &call.repository.host);
            for (name, value) in &call.repository.headers {
                request = request.header(name, value);
            }
        }
        if let Some(value) = authorization.filter(|_| ours) {
            request = request.header(header::AUTHORIZATION, value);
        }
        let request = request
            .body(Full::new(call.body.clone()))
            .map_err(|error| protocol(&call.url, format!("not a usable address: {error}")))?;
        self.execute(request).await
    }

    /// Sends one request, bounded in time.
    async fn execute(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, RegistryError> {
        let method = method_name(request.method());
        let url = request.uri().to_string();
        let failed = |reason: String| {
            // Trying again does not make a certificate better.
            if reason.starts_with("invalid peer certificate") {
                return protocol(&url, reason);
            }
            RegistryError::Request { method, url: url.clone(), reason }
        };
        let limit = ANSWER + time_to_send(request.body());
        let sent = if request.uri().scheme() == Some(&http::uri::Scheme::HTTPS) {
            match self.secure.get_or_init(|| secure_client(self.tcp.clone())) {
                Ok(client) => client.request(request),
                Err(reason) => return Err(failed(reason.clone())),
            }
        } else {
            self.plain.request(request)
        };
        tokio::select! {
            answer = sent => answer.map_err(|error| failed(innermost(&error))),
            () = self.environment.sleep(limit) => Err(failed("timeout awaiting response headers".to_owned())),
        }
    }

    /// GET that follows redirects, as registries send blobs from elsewhere. Credentials stay with the registry,
    /// and a registry with TLS cannot send us to one without. Also tells where the answer came from.
    pub(crate) async fn get_following(
        &self,
        call: Call<'_>,
    ) -> Result<(Response<Incoming>, String), RegistryError> {
        let range: Vec<_> = call.headers.iter().filter(|(name, _)| *name == header::RANGE).cloned().collect();
        let mut answer = self.send(&call).await?;
        let mut url = call.url.clone();
        for _ in 0..MAX_REDIRECTS {
            if !answer.status().is_redirection() {
                return Ok((answer, url));
            }
            let location = answer.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
            let next = location.and_then(|location| absolute(&url, location));
            let next = next.ok_or_else(|| protocol(&url, "a redirect without address"))?;
            if !next.starts_with("https://") && !call.repository.plain {
                return Err(protocol(&url, "a redirect from https to http"));
            }
            drain(answer).await;
            let mut request = Request::get(&next);
            for (name, value) in &range {
                request = request.header(name, value);
            }
            let request = request
                .body(Full::default())
                .map_err(|error| protocol(&next, format!("not a usable address: {error}")))?;
            answer = self.execute(request).await?;
            url = next;
        }
        Err(protocol(&url, "too many redirects"))
    }

    /// The whole body of an answer, at most `limit` bytes.
    pub(crate) async fn body(
        &self,
        url: &str,
        answer: Response<Incoming>,
        limit: usize,
    ) -> Result<Bytes, RegistryError> {
        let collected = tokio::select! {
            collected = Limited::new(answer.into_body(), limit).collect() => collected,
            () = self.environment.sleep(self.stall) => {
                return Err(RegistryError::Body { url: url.to_owned(), reason: "the registry stopped sending".to_owned() });
            }
        };
        match collected {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                Err(protocol(url, format!("the answer is longer than {limit} bytes")))
            }
            Err(error) => Err(RegistryError::Body { url: url.to_owned(), reason: innermost(error.as_ref()) }),
        }
    }
}

/// Time to send a body at a megabyte a second, a slow line.
fn time_to_send(body: &Full<Bytes>) -> Duration {
    Duration::from_secs(hyper::body::Body::size_hint(body).exact().unwrap_or(0) >> 20)
}

/// A client for https that trusts this machine's certificate authorities.
fn secure_client(tcp: HttpConnector) -> SecureClient {
    let connector = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
        .map_err(|error| format!("no certificate authorities on this machine: {error}"))?
        .https_only()
        .enable_http1()
        .wrap_connector(tcp);
    Ok(pooled(connector))
}

fn pooled<C>(connector: C) -> HttpClient<C, Full<Bytes>>
where
    C: hyper_util::client::legacy::connect::Connect + Clone,
{
    HttpClient::builder(TokioExecutor::new())
        .pool_idle_timeout(KEEP)
        .pool_timer(TokioTimer::new())
        .build(connector)
}

/// An address found in an answer, relative to the address asked.
pub(crate) fn absolute(base: &str, location: &str) -> Option<String> {
    if location.starts_with("http://") || location.starts_with("https://") {
        return Some(location.to_owned());
    }
    let base: Uri = base.parse().ok()?;
    let origin = format!("{}://{}", base.scheme_str()?, base.authority()?);
    if location.starts_with('/') && !location.starts_with("//") {
        Some(format!("{origin}{location}"))
    } else {
        None
    }
}

/// Reads what is left of an answer that does not matter, so that its connection can be used again.
async fn drain(answer: Response<Incoming>) {
    // Error bodies are short; a longer one costs its connection and nothing else.
    let _ = Limited::new(answer.into_body(), 64 * 1024).collect().await;
}

/// Turns an answer other than the awaited one into the error that fits.
pub(crate) fn unexpected(call: &Call<'_>, what: &str, status: StatusCode) -> RegistryError {
    match status {
        StatusCode::NOT_FOUND => RegistryError::NotFound { what: what.to_owned() },
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => denied(call, status),
        status => RegistryError::Status { method: method_name(&call.method), url: call.url.clone(), status },
    }
}

fn denied(call: &Call<'_>, status: StatusCode) -> RegistryError {
    let marker = format!("/v2/{}/", call.repository.name);
    let what = call.url.split_once(&marker).map_or(call.url.as_str(), |(_, rest)| rest);
    RegistryError::Denied {
        host: call.repository.host.clone(),
        what: what.split('?').next().unwrap_or(what).replace('/', " "),
        status,
    }
}

pub(crate) fn protocol(url: &str, reason: impl Into<String>) -> RegistryError {
    RegistryError::Protocol { url: url.to_owned(), reason: reason.into() }
}

/// The method as Go clients print it, which is what people search for.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::HEAD => "Head",
        Method::POST => "Post",
        Method::PUT => "Put",
        Method::PATCH => "Patch",
        _ => "Get",
    }
}

/// The last cause in a chain of errors: "Connection refused" rather than "client error".
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// Reads a header as text.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reach::LocalRegistry;

    fn base(reference: &str, options: &Reach) -> String {
        Repository::new(&reference.parse().expect("parses"), options).base
    }

    #[test]
    fn registries_are_reached_as_told() {
        let none = Reach::default();
        assert_eq!(base("nginx", &none), "https://registry-1.docker.io");
        assert_eq!(base("localhost:4566/x", &none), "http://127.0.0.1:4566");
        assert_eq!(base("1.dkr.ecr.r.localhost:4566/x", &none), "http://127.0.0.1:4566");
        assert_eq!(base("[::1]:5000/x", &none), "http://[::1]:5000");
        assert_eq!(base("10.0.0.1:5000/x", &none), "https://10.0.0.1:5000");
        assert_eq!(base("localhost.evil.example/x", &none), "https://localhost.evil.example");
        let told = Reach {
            local_registries: vec![LocalRegistry {
                host: ".dkr.ecr.r.amazonaws.com".to_owned(),
                address: ([127, 0, 0, 1], 4566).into(),
                socket: None,
            }],
            insecure_hosts: vec!["10.0.0.1:5000".to_owned()],
            ..none
        };
        assert_eq!(base("1.dkr.ecr.r.amazonaws.com/x", &told), "http://127.0.0.1:4566");
        assert_eq!(base("10.0.0.1:5000/x", &told), "http://10.0.0.1:5000");
        assert_eq!(base("evil.1.dkr.ecr.r.amazonaws.com/x", &told), "https://evil.1.dkr.ecr.r.amazonaws.com");
    }

    #[test]
    fn addresses_in_answers() {
        let base = "http://h:1/v2/x";
        assert_eq!(absolute(base, "/v2/y?z=1").as_deref(), Some("http://h:1/v2/y?z=1"));
        assert_eq!(absolute(base, "https://e/x").as_deref(), Some("https://e/x"));
        assert_eq!(absolute(base, "//e/x"), None);
    }
}
