//! HTTP endpoints of API destinations.

use super::{RegionTargets, failed, refused};
use access::{Asked, NotAllowed, RequestFacts};
use base64::Engine;
use bytes::Bytes;
use controllers::TargetError;
use environment::{Environment, Timestamp};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http_body_util::{BodyExt, Full, Limited};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use resources::events::{
    ApiDestination, Authorization, Connection, Delivery, HttpParameters, ParameterPlace,
};
use resources::sealed::Sealing;
use serde_json::Value;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Mutex;
use std::time::Duration;
use zeroize::Zeroizing;

/// Longest wait for an answer, as on AWS.
const ANSWER: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read before the connection is used again.
const MOST_BYTES: usize = 1 << 16;
/// What stays as it is in paths and queries.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Endpoints whose pace is remembered.
const MOST_PACES: usize = 10_000;

/// When each destination may be called next.
#[derive(Default)]
pub(super) struct Pace(Mutex<HashMap<String, Timestamp>>);

impl Pace {
    /// Takes the next place in a destination's order of `rate` calls a second; the time to wait for it.
    fn take(&self, arn: &str, rate: u32, environment: &Environment) -> Duration {
        let now = environment.now();
        // Nothing panics while it is held.
        let mut paces = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if paces.len() >= MOST_PACES {
            paces.retain(|_, next| *next > now);
        }
        let next = paces.entry(arn.to_owned()).or_insert(now);
        let mine = (*next).max(now);
        *next = mine + Duration::from_secs(1) / rate.max(1);
        mine.since(now)
    }
}

/// A connection with its opened secrets: the password or key first.
struct Opened<'a> {
    connection: &'a Connection,
    secrets: Vec<Zeroizing<String>>,
}

impl RegionTargets {
    pub(super) async fn call_endpoint(&self, delivery: &Delivery, path: &str) -> Result<(), TargetError> {
        let (name, id) = path.split_once('/').unwrap_or((path, ""));
        let key = |name: &str| format!("{}/{name}", delivery.account);
        let broken = |error: store::StoreError| failed(error.to_string());
        let found = self.tables.get::<ApiDestination>(&key(name)).await.map_err(broken)?;
        let Some(destination) = found.filter(|found| found.id == id) else {
            return Err(refused("the API destination does not exist"));
        };
        let found = self.tables.get::<Connection>(&key(&destination.connection)).await.map_err(broken)?;
        let Some(connection) = found else { return Err(refused("the connection does not exist")) };
        self.require_invoke(delivery).await?;
        let opened = self.open(&connection)?;
        let request = request(&destination, &opened, delivery)?;
        let wait = self.pace.take(&delivery.target.arn, destination.rate, &self.environment);
        self.environment.sleep(wait).await;
        let answer = tokio::select! {
            answer = self.http.request(request) => answer.map_err(|error| failed(with_cause(&error)))?,
            () = self.environment.sleep(ANSWER) => return Err(failed("the endpoint does not answer in time")),
        };
        let (parts, body) = answer.into_parts();
        // Read so that the connection can be used again; what is in it does not matter.
        let _ = tokio::time::timeout(ANSWER, Limited::new(body, MOST_BYTES).collect()).await;
        verdict(parts.status, &parts.headers)
    }

    /// The target's role must be allowed to call the destination.
    async fn require_invoke(&self, delivery: &Delivery) -> Result<(), TargetError> {
        let made = self.assume(delivery).await?;
        let credential = self.access.credential(&made.access_key_id, Some(made.session_token.expose())).await;
        let caller = credential.map_err(|_| refused("the session of the role is not good"))?.caller;
        let facts = RequestFacts {
            time: self.environment.now(),
            source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            region: self.region.as_str(),
            user_agent: Some(delivery.sender.principal()),
            secure_transport: false,
        };
        let asked = [Asked::new("events:InvokeApiDestination", &delivery.target.arn)];
        self.access.authorize(&caller, &asked, &facts).await.map_err(|error| match error {
            NotAllowed::Denied(denied) => refused(denied.message),
            NotAllowed::Failed(error) => failed(error.to_string()),
        })
    }

    fn open<'a>(&self, connection: &'a Connection) -> Result<Opened<'a>, TargetError> {
        let opened = self.keys.open(&connection.purpose(), connection.sealed.as_str());
        let opened = opened.map_err(|error| failed(format!("the connection's secrets: {error}")))?;
        let texts: Vec<String> = serde_json::from_slice(&opened).unwrap_or_default();
        Ok(Opened { connection, secrets: texts.into_iter().map(Zeroizing::new).collect() })
    }
}

/// Why a connection failed, with what is behind it.
fn with_cause(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

impl Opened<'_> {
    /// The connection's parameters of a place, with their values.
    fn parameters(&self, place: ParameterPlace) -> Vec<(&str, &str)> {
        let mut secrets = self.secrets.iter().skip(1);
        let mut found = Vec::new();
        for parameter in &self.connection.parameters {
            let value = match &parameter.value {
                Some(value) => value.as_str(),
                None => secrets.next().map_or("", |secret| secret.as_str()),
            };
            if parameter.place == place {
                found.push((parameter.key.as_str(), value));
            }
        }
        found
    }

    /// The header that shows who calls.
    fn authorization(&self) -> (String, Zeroizing<String>) {
        let secret = self.secrets.first().map_or("", |secret| secret.as_str());
        match &self.connection.authorization {
            Authorization::ApiKey { name } => (name.clone(), Zeroizing::new(secret.to_owned())),
            Authorization::Basic { username } => {
                let pair = Zeroizing::new(format!("{username}:{secret}"));
                let encoded = base64::engine::general_purpose::STANDARD.encode(pair.as_bytes());
                ("authorization".to_owned(), Zeroizing::new(format!("Basic {encoded}")))
            }
        }
    }
}

fn request(
    destination: &ApiDestination,
    connection: &Opened<'_>,
    delivery: &Delivery,
) -> Result<http::Request<Full<Bytes>>, TargetError> {
    let none = HttpParameters::default();
    let own = delivery.target.http.as_ref().unwrap_or(&none);
    let mut headers = HeaderMap::new();
    let mut set = |name: &str, value: &str, secret: bool| -> Result<(), TargetError> {
        let name =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| refused(format!("{name} is no header")))?;
        let mut value =
            HeaderValue::from_str(value).map_err(|_| refused(format!("the value of {name} is none")))?;
        value.set_sensitive(secret);
        headers.insert(name, value);
        Ok(())
    };
    set("content-type", "application/json; charset=utf-8", false)?;
    set("user-agent", "Amazon/EventBridge/ApiDestinations", false)?;
    for (name, value) in &own.headers {
        set(name, value, false)?;
    }
    // What the connection says counts more than what the target says.
    for (name, value) in connection.parameters(ParameterPlace::Header) {
        set(name, value, true)?;
    }
    let (name, value) = connection.authorization();
    set(&name, &value, true)?;
    let has_body = !matches!(destination.method.as_str(), "GET" | "HEAD");
    let body = if has_body {
        body(&delivery.input, &connection.parameters(ParameterPlace::Body))
    } else {
        Bytes::new()
    };
    let mut query: Vec<(&str, &str)> =
        own.query.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let theirs = connection.parameters(ParameterPlace::Query);
    query.retain(|(key, _)| !theirs.iter().any(|(own, _)| own == key));
    query.extend(theirs);
    let mut request = http::Request::builder()
        .method(destination.method.as_str())
        .uri(url(&destination.endpoint, &own.path_values, &query))
        .body(Full::new(body))
        .map_err(|error| refused(format!("the request cannot be made: {error}")))?;
    *request.headers_mut() = headers;
    Ok(request)
}

/// The endpoint with values for its asterisks and a query.
fn url(endpoint: &str, values: &[String], query: &[(&str, &str)]) -> String {
    let encode = |text: &str| utf8_percent_encode(text, PLAIN).to_string();
    let mut url = String::new();
    let mut values = values.iter();
    for character in endpoint.chars() {
        match character {
            '*' => url.push_str(&values.next().map(|value| encode(value)).unwrap_or_default()),
            other => url.push(other),
        }
    }
    for (key, value) in query {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(&encode(key));
        url.push('=');
        url.push_str(&encode(value));
    }
    url
}

/// The input, with the connection's parameters put into an object.
fn body(input: &str, parameters: &[(&str, &str)]) -> Bytes {
    if parameters.is_empty() {
        return Bytes::from(input.to_owned());
    }
    let mut value: Value = serde_json::from_str(input).unwrap_or_default();
    if let Some(members) = value.as_object_mut() {
        for (key, value) in parameters {
            members.insert((*key).to_owned(), Value::from(*value));
        }
    }
    Bytes::from(value.to_string())
}

/// What an answer means: 401, 407, 409, 429 and 5xx are tried again, other failures not.
fn verdict(status: http::StatusCode, headers: &HeaderMap) -> Result<(), TargetError> {
    if status.is_success() {
        return Ok(());
    }
    let reason = format!("the endpoint answered {}", status.as_u16());
    if !matches!(status.as_u16(), 401 | 407 | 409 | 429 | 500..) {
        return Err(refused(reason));
    }
    let after = headers.get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
    Err(TargetError::Failed { reason, after: after.map(Duration::from_secs) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_filled_and_encoded() {
        let values = ["a b".to_owned()];
        assert_eq!(url("https://h/x/*/y", &values, &[("q", "1&2")]), "https://h/x/a%20b/y?q=1%262");
        assert_eq!(url("http://h/?a=b", &[], &[("c", "d")]), "http://h/?a=b&c=d");
    }

    #[test]
    fn parameters_go_into_objects_only() {
        assert_eq!(body("{\"a\":1}", &[("b", "x")]), r#"{"a":1,"b":"x"}"#);
        assert_eq!(body("[1]", &[("b", "x")]), "[1]");
        assert_eq!(body("{ }", &[]), "{ }");
    }

    #[test]
    fn answers_are_judged_as_by_eventbridge() {
        let of = |status: u16, headers: &HeaderMap| {
            verdict(http::StatusCode::from_u16(status).expect("a status"), headers)
        };
        let none = HeaderMap::new();
        assert_eq!(of(204, &none), Ok(()));
        assert!(matches!(of(404, &none), Err(TargetError::Refused(_))));
        assert!(matches!(of(301, &none), Err(TargetError::Refused(_))));
        for status in [401, 407, 409, 429, 500, 503] {
            assert!(matches!(of(status, &none), Err(TargetError::Failed { after: None, .. })), "{status}");
        }
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", HeaderValue::from_static("120"));
        let waits = of(429, &headers);
        assert!(matches!(waits, Err(TargetError::Failed { after: Some(wait), .. }) if wait.as_secs() == 120));
    }

    #[test]
    fn calls_are_paced() {
        let (environment, clock) = Environment::simulated(Timestamp::from_seconds(1), 1);
        let pace = Pace::default();
        let waits: Vec<_> = (0..3).map(|_| pace.take("a", 10, &environment).as_millis()).collect();
        assert_eq!(waits, [0, 100, 200]);
        clock.advance(Duration::from_secs(1));
        assert_eq!(pace.take("a", 10, &environment), Duration::ZERO);
    }
}
