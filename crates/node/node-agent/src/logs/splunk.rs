//! The splunk driver: a container's output to an HTTP Event Collector.

use super::batch::LogEvent;
use bytes::Bytes;
use environment::Environment;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use zeroize::Zeroizing;

/// Where events go, below the address of the collector.
const PATH: &str = "/services/collector/event/1.0";
/// Longest wait for an answer.
const CALL_TIME: Duration = Duration::from_secs(30);
/// Most of an answer that is read.
const MOST_ANSWER: usize = 64 * 1024;

/// How a line is put into an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// As a field beside its source.
    Inline,
    /// As JSON where it is some, else as text.
    Json,
    /// With nothing but the tag before it.
    Raw,
}

/// A collector and what events tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splunk {
    uri: Uri,
    source: Option<String>,
    sourcetype: Option<String>,
    index: Option<String>,
    tag: String,
    format: Format,
    /// The collector is asked whether it is there before the container starts.
    pub(crate) verify: bool,
    /// The token, when it is no secret.
    pub(crate) token: Option<String>,
}

/// A client with its token.
pub(crate) struct Collector {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    authorization: HeaderValue,
    host: String,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SplunkError {
    #[error("no certificate authorities: {0}")]
    Authorities(std::io::Error),
    #[error("the token is no text for a header")]
    Token,
    #[error("no answer: {0}")]
    Transport(String),
    #[error("the collector answered {status}: {text}")]
    Refused { status: StatusCode, text: String },
}

impl SplunkError {
    pub(crate) fn is_retryable(&self) -> bool {
        match self {
            Self::Authorities(_) | Self::Token => false,
            Self::Transport(_) => true,
            Self::Refused { status, .. } => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
        }
    }
}

impl Splunk {
    /// Reads the options of a container. The token may be among its secrets.
    pub(crate) fn read(options: &BTreeMap<String, String>, container_id: &str) -> Result<Self, String> {
        let get = |name: &str| options.get(name).filter(|value| !value.is_empty()).cloned();
        let url = get("splunk-url").ok_or("the log option splunk-url is missing")?;
        let uri: Uri = format!("{}{PATH}", url.trim_end_matches('/'))
            .parse()
            .map_err(|error| format!("{url}: {error}"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none() {
            return Err(format!("{url} is no address of a collector"));
        }
        let format = match get("splunk-format").as_deref() {
            None | Some("inline") => Format::Inline,
            Some("json") => Format::Json,
            Some("raw") => Format::Raw,
            Some(other) => return Err(format!("splunk-format {other} is not known")),
        };
        let id = container_id.chars().take(12).collect::<String>();
        Ok(Self {
            uri,
            source: get("splunk-source"),
            sourcetype: get("splunk-sourcetype"),
            index: get("splunk-index"),
            tag: options.get("tag").map_or(id.clone(), |tag| tag.replace("{{.ID}}", &id)),
            format,
            verify: get("splunk-verify-connection").is_none_or(|verify| verify != "false"),
            token: get("splunk-token"),
        })
    }

    fn event(&self, event: &LogEvent, host: &str) -> Value {
        let line = &event.message;
        let body = match self.format {
            Format::Raw if self.tag.is_empty() => json!(line),
            Format::Raw => json!(format!("{} {line}", self.tag)),
            Format::Inline | Format::Json => {
                let parsed = (self.format == Format::Json).then(|| serde_json::from_str(line).ok()).flatten();
                json!({
                    "line": parsed.unwrap_or_else(|| json!(line)),
                    "source": if event.stderr { "stderr" } else { "stdout" },
                    "tag": self.tag,
                })
            }
        };
        let millis = event.at.as_millis();
        let mut all = Map::from_iter([
            ("event".to_owned(), body),
            ("time".to_owned(), json!(format!("{}.{:03}", millis.div_euclid(1000), millis.rem_euclid(1000)))),
            ("host".to_owned(), json!(host)),
        ]);
        for (name, value) in
            [("source", &self.source), ("sourcetype", &self.sourcetype), ("index", &self.index)]
        {
            if let Some(value) = value {
                all.insert(name.to_owned(), json!(value));
            }
        }
        Value::Object(all)
    }
}

impl Collector {
    pub(crate) fn new(token: &Zeroizing<String>, host: String) -> Result<Self, SplunkError> {
        let connector = HttpsConnectorBuilder::new()
            .with_native_roots()
            .map_err(SplunkError::Authorities)?
            .https_or_http()
            .enable_http1()
            .build();
        let mut authorization =
            HeaderValue::from_str(&format!("Splunk {}", token.as_str())).map_err(|_| SplunkError::Token)?;
        authorization.set_sensitive(true);
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector), authorization, host })
    }

    /// Asks whether the collector is there.
    pub(crate) async fn verify(&self, splunk: &Splunk, environment: &Environment) -> Result<(), SplunkError> {
        self.call(Method::OPTIONS, splunk, Vec::new(), environment).await
    }

    /// Sends events.
    pub(crate) async fn send(
        &self,
        splunk: &Splunk,
        events: &[LogEvent],
        environment: &Environment,
    ) -> Result<(), SplunkError> {
        let mut body = Vec::new();
        for event in events {
            body.extend_from_slice(splunk.event(event, &self.host).to_string().as_bytes());
        }
        self.call(Method::POST, splunk, body, environment).await
    }

    async fn call(
        &self,
        method: Method,
        splunk: &Splunk,
        body: Vec<u8>,
        environment: &Environment,
    ) -> Result<(), SplunkError> {
        let request = Request::builder()
            .method(method)
            .uri(splunk.uri.clone())
            .header(header::AUTHORIZATION, self.authorization.clone())
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| SplunkError::Transport(error.to_string()))?;
        let answered = async {
            let transport = |error: &dyn std::error::Error| {
                let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
                SplunkError::Transport(format!("{error}{cause}"))
            };
            let response = self.client.request(request).await.map_err(|error| transport(&error))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MOST_ANSWER).collect().await;
            let text = body.map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned());
            if status.is_success() {
                return Ok(());
            }
            Err(SplunkError::Refused { status, text: text.unwrap_or_default() })
        };
        tokio::select! {
            answered = answered => answered,
            () = environment.sleep(CALL_TIME) => Err(SplunkError::Transport("no answer in time".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use environment::Timestamp;

    fn read(options: &[(&str, &str)]) -> Result<Splunk, String> {
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Splunk::read(&options, "0123456789abcdef")
    }

    #[test]
    fn events_have_the_form_that_is_asked_for() {
        let event = |options: &[(&str, &str)], line: &str| {
            let all = [&[("splunk-url", "https://splunk.example:8088/")][..], options].concat();
            let event =
                LogEvent { at: Timestamp::from_millis(1_500), message: line.to_owned(), stderr: false };
            read(&all).expect("reads").event(&event, "box")
        };
        assert_eq!(
            event(&[("splunk-index", "main")], "hi"),
            json!({"event": {"line": "hi", "source": "stdout", "tag": "0123456789ab"}, "time": "1.500",
                   "host": "box", "index": "main"})
        );
        assert_eq!(event(&[("splunk-format", "json")], r#"{"a":1}"#)["event"]["line"], json!({"a": 1}));
        assert_eq!(event(&[("splunk-format", "json")], "x")["event"]["line"], json!("x"));
        assert_eq!(event(&[("splunk-format", "raw"), ("tag", "")], "x")["event"], json!("x"));
        assert_eq!(
            event(&[("splunk-format", "raw"), ("tag", "{{.ID}}/a")], "x")["event"],
            json!("0123456789ab/a x")
        );
        assert!(read(&[("splunk-url", "ftp://h")]).is_err() && read(&[]).is_err());
        assert!(read(&[("splunk-url", "http://h"), ("splunk-format", "x")]).is_err());
    }
}
