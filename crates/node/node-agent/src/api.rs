//! The AWS API calls of the agent: a small signed client of the awsJson protocol.

mod ecr;
mod ecs;
mod logs;
mod secrets;
mod task;

pub(crate) use ecs::{PollEndpoints, Registration};
pub(crate) use secrets::Version;
pub(crate) use task::TaskApi;

use crate::config::Credentials;
use aws_wire::sigv4::{AuthError, Signer, sign};
use bytes::Bytes;
use environment::Environment;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Longest wait for an answer.
const CALL_TIME: Duration = Duration::from_secs(30);
/// Largest answer.
const MOST_ANSWER_BYTES: usize = 8 * 1024 * 1024;
/// State reports under way at a time.
const PARALLEL_REPORTS: usize = 32;
/// Idle connections kept open.
const IDLE_CONNECTIONS: usize = 16;

/// A call that gave no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// The service answered with an error.
    #[error("{code}: {message}")]
    Service { code: String, message: String, status: u16 },
    /// No answer came.
    #[error("call {operation}: {reason}")]
    Transport { operation: String, reason: String },
    /// The request cannot be made or the answer cannot be read.
    #[error("{operation}: {reason}")]
    Unusable { operation: String, reason: String },
}

impl ApiError {
    /// The service's code.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Self::Service { code, .. } => Some(code),
            Self::Transport { .. } | Self::Unusable { .. } => None,
        }
    }

    /// Whether the same call may work later.
    pub(crate) fn is_retryable(&self) -> bool {
        match self {
            Self::Service { code, status, .. } => {
                *status >= 500
                    || *status == 429
                    || matches!(
                        code.as_str(),
                        "ThrottlingException"
                            | "ServerException"
                            | "ServiceUnavailableException"
                            // Newer credentials are on their way.
                            | "ExpiredTokenException"
                    )
            }
            Self::Transport { .. } => true,
            Self::Unusable { .. } => false,
        }
    }
}

/// The client; one per agent.
pub(crate) struct Api {
    client: Client<HttpConnector, Full<Bytes>>,
    endpoint: Uri,
    signer: Signer,
    environment: Environment,
    reports: Semaphore,
}

impl Api {
    /// A client of the region at `endpoint`.
    pub(crate) fn new(
        endpoint: Uri,
        region: &str,
        credentials: &Credentials,
        environment: Environment,
    ) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client =
            Client::builder(TokioExecutor::new()).pool_max_idle_per_host(IDLE_CONNECTIONS).build(connector);
        Self {
            client,
            endpoint,
            signer: Signer {
                access_key_id: credentials.access_key_id.clone(),
                secret_access_key: credentials.secret_access_key.clone(),
                session_token: None,
                region: region.to_owned(),
            },
            environment,
            reports: Semaphore::new(PARALLEL_REPORTS),
        }
    }

    /// Where the region is.
    pub(crate) fn endpoint(&self) -> &Uri {
        &self.endpoint
    }

    /// Clock and randomness.
    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Asks for the token of a channel of Session Manager.
    pub(crate) async fn channel_token(
        &self,
        signer: &Signer,
        path: &str,
        body: &serde_json::Value,
    ) -> Result<String, ApiError> {
        let operation = "CreateChannel";
        let unusable = |reason: String| ApiError::Unusable { operation: operation.to_owned(), reason };
        let body = body.to_string().into_bytes();
        let request = self.request_at(path, signer, "ssmmessages", |request| request, body);
        let request = request.map_err(|error| unusable(error.to_string()))?;
        let (status, body) = self.send(operation, request).await?;
        let text = String::from_utf8_lossy(&body);
        if status.is_success() {
            let token = session_wire::TokenAnswer::token(&text);
            return token.map(str::to_owned).ok_or_else(|| unusable("there is no token".to_owned()));
        }
        let part = |name: &str| {
            let (_, rest) = text.split_once(&format!("<{name}>"))?;
            rest.split_once("</").map(|(value, _)| value.to_owned())
        };
        let json = service_error(status.as_u16(), &body);
        Err(match part("Code") {
            Some(code) => ApiError::Service {
                code,
                message: part("Message").unwrap_or_default(),
                status: status.as_u16(),
            },
            None => json,
        })
    }

    /// Who signs.
    pub(crate) fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Calls an operation with the machine's key. `target` is the protocol's prefix of the service.
    async fn call<I: Serialize, O: DeserializeOwned>(
        &self,
        service: &str,
        target: &str,
        operation: &str,
        input: &I,
    ) -> Result<O, ApiError> {
        self.call_as(&self.signer, service, target, operation, input).await
    }

    async fn call_as<I: Serialize, O: DeserializeOwned>(
        &self,
        signer: &Signer,
        service: &str,
        target: &str,
        operation: &str,
        input: &I,
    ) -> Result<O, ApiError> {
        let unusable = |reason: String| ApiError::Unusable { operation: operation.to_owned(), reason };
        let body = serde_json::to_vec(input).map_err(|error| unusable(error.to_string()))?;
        let request = self
            .request(signer, service, &format!("{target}.{operation}"), body)
            .map_err(|error| unusable(error.to_string()))?;
        let (status, body) = self.send(operation, request).await?;
        if status.is_success() {
            let body = if body.is_empty() { Bytes::from_static(b"{}") } else { body };
            return serde_json::from_slice(&body).map_err(|error| unusable(error.to_string()));
        }
        Err(service_error(status.as_u16(), &body))
    }

    /// Sends a request and reads the answer, within bounds.
    async fn send(
        &self,
        operation: &str,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Bytes), ApiError> {
        let transport = |reason: String| ApiError::Transport { operation: operation.to_owned(), reason };
        let answered = async {
            let response = self.client.request(request).await.map_err(|error| transport(chain(&error)))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MOST_ANSWER_BYTES).collect().await;
            let body = body.map_err(|error| transport(error.to_string()))?.to_bytes();
            Ok((status, body))
        };
        tokio::select! {
            answered = answered => answered,
            () = self.environment.sleep(CALL_TIME) => Err(transport("no answer in time".to_owned())),
        }
    }

    fn request(
        &self,
        signer: &Signer,
        service: &str,
        target: &str,
        body: Vec<u8>,
    ) -> Result<Request<Full<Bytes>>, RequestError> {
        self.request_at("/", signer, service, |request| request.header("x-amz-target", target), body)
    }

    fn request_at(
        &self,
        path: &str,
        signer: &Signer,
        service: &str,
        with: impl FnOnce(http::request::Builder) -> http::request::Builder,
        body: Vec<u8>,
    ) -> Result<Request<Full<Bytes>>, RequestError> {
        let mut uri = self.endpoint.clone().into_parts();
        uri.path_and_query = Some(path.parse()?);
        let host = self.endpoint.authority().map_or("", |authority| authority.as_str());
        let request = Request::builder()
            .method(Method::POST)
            .uri(Uri::from_parts(uri)?)
            .header(header::HOST, host)
            .header(header::CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
        let (mut parts, ()) = with(request).body(())?.into_parts();
        sign(&mut parts, &body, signer, service, self.environment.now())?;
        Ok(Request::from_parts(parts, Full::new(Bytes::from(body))))
    }
}

#[derive(Debug, thiserror::Error)]
enum RequestError {
    #[error(transparent)]
    Http(#[from] http::Error),
    #[error(transparent)]
    Uri(#[from] http::uri::InvalidUriParts),
    #[error(transparent)]
    Path(#[from] http::uri::InvalidUri),
    #[error(transparent)]
    Sign(#[from] AuthError),
}

fn service_error(status: u16, body: &[u8]) -> ApiError {
    let value: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| value.get(name).and_then(|text| text.as_str()).map(str::to_owned);
    let code = text("__type").unwrap_or_else(|| format!("HTTP {status}"));
    ApiError::Service {
        // Some services put a namespace before the code.
        code: code.rsplit('#').next().unwrap_or_default().to_owned(),
        message: text("message").or_else(|| text("Message")).unwrap_or_default(),
        status,
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
