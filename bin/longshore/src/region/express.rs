//! Has what express services need made with their infrastructure roles, really assumed, by calls of this region's own
//! listener: so each is authenticated, authorized and recorded as any other. Certificates are made here: there is no
//! authority that would vouch for names under `.localhost`.

use access::{Access, Asked, AssumeError, NotAllowed, RequestFacts, SessionCredentials};
use anyhow::Result;
use aws_wire::sigv4::{Signer, sign};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use controllers::express::{Acting, Body, Call, Infrastructure, NewCertificate, Refusal};
use environment::{Environment, Timestamp};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use identifiers::Region;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rcgen::{CertificateParams, DnType, KeyPair};
use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, SystemTime};
use zeroize::Zeroizing;

/// The service that assumes the roles, as their trust policies name it.
const SERVICE: &str = "ecs.amazonaws.com";
/// The name of its sessions, as on AWS.
const SESSION: &str = "ECSGateway";
/// How long a session lasts.
const LIFE: Duration = Duration::from_secs(900);
/// Longest wait for an answer.
const ANSWER: Duration = Duration::from_secs(30);
/// Largest answer that is read.
const MOST_BYTES: usize = 1 << 20;
/// How long a certificate is valid: as long as those of ACM.
const VALID: Duration = Duration::from_secs(395 * 24 * 3600);
/// What its validity begins earlier, for clocks that are late.
const EARLY: Duration = Duration::from_secs(24 * 3600);

/// What a form does not hold as it is.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The infrastructure of a region's express services.
pub(super) struct RegionInfrastructure {
    access: Access,
    region: Region,
    /// `http://127.0.0.1:4566`: the region's own listener.
    endpoint: String,
    environment: Environment,
    http: HttpClient<HttpConnector, Full<Bytes>>,
}

impl RegionInfrastructure {
    pub(super) fn new(access: Access, region: Region, endpoint: String, environment: Environment) -> Self {
        let http = HttpClient::builder(TokioExecutor::new()).build_http();
        Self { access, region, endpoint, environment, http }
    }

    async fn assume(&self, acting: &Acting) -> Result<SessionCredentials, Refusal> {
        let (role, service) = (&acting.role, &acting.service);
        let made = self.access.assume_for_service(role, SERVICE, SESSION, LIFE, service).await;
        made.map_err(|error| match error {
            AssumeError::NoRole(_) | AssumeError::NotTrusted { .. } => {
                Refusal(format!("AccessDenied: Cannot assume role {role}: {error}"))
            }
            AssumeError::Failed(error) => Refusal(format!("ServerException: {error}")),
        })
    }

    fn request(
        &self,
        credentials: &SessionCredentials,
        call: &Call,
    ) -> Result<http::Request<Full<Bytes>>, Refusal> {
        let broken =
            |error: &dyn std::fmt::Display| Refusal(format!("{} cannot be called: {error}", call.operation));
        let signer = Signer {
            access_key_id: credentials.access_key_id.clone(),
            secret_access_key: credentials.secret_access_key.expose().to_owned(),
            session_token: Some(credentials.session_token.expose().to_owned()),
            region: self.region.to_string(),
        };
        let host = self.endpoint.split_once("://").map_or(self.endpoint.as_str(), |(_, host)| host);
        let request = http::Request::post(format!("{}/", self.endpoint))
            .header("host", host)
            .header("user-agent", SERVICE);
        let (request, body) = match &call.body {
            Body::Query(parameters) => (
                request.header("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
                form(parameters),
            ),
            Body::Json(target, value) => (
                request.header("content-type", aws_wire::json::CONTENT_TYPE).header("x-amz-target", *target),
                value.to_string(),
            ),
        };
        let body = Bytes::from(body);
        let (mut parts, ()) = request.body(()).map_err(|error| broken(&error))?.into_parts();
        sign(&mut parts, &body, &signer, call.service, self.environment.now())
            .map_err(|error| broken(&error))?;
        Ok(http::Request::from_parts(parts, Full::new(body)))
    }
}

#[async_trait::async_trait]
impl Infrastructure for RegionInfrastructure {
    async fn call(&self, acting: &Acting, call: &Call) -> Result<(), Refusal> {
        let credentials = self.assume(acting).await?;
        let request = self.request(&credentials, call)?;
        let failed = |error: &dyn std::fmt::Display| Refusal(format!("{} failed: {error}", call.operation));
        let answer = tokio::select! {
            answer = self.http.request(request) => answer.map_err(|error| failed(&error))?,
            () = self.environment.sleep(ANSWER) => return Err(failed(&"no answer in time")),
        };
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MOST_BYTES).collect().await;
        let body = body.map_err(|error| failed(&error))?.to_bytes();
        if status.is_success() {
            return Ok(());
        }
        Err(Refusal(said(&String::from_utf8_lossy(&body)).unwrap_or_else(|| status.to_string())))
    }

    async fn may(
        &self,
        acting: &Acting,
        action: &str,
        resource: &str,
        tags: &[(&str, &str)],
    ) -> Result<(), Refusal> {
        let made = self.assume(acting).await?;
        let credential = self.access.credential(&made.access_key_id, Some(made.session_token.expose())).await;
        let caller = credential
            .map_err(|_| Refusal(format!("AccessDenied: the session of {} is not good", acting.role)))?
            .caller;
        let conditions: Vec<(Cow<'static, str>, Vec<String>)> = tags
            .iter()
            .map(|(key, value)| (Cow::Owned(format!("aws:ResourceTag/{key}")), vec![(*value).to_owned()]))
            .collect();
        let asked = [Asked { conditions: &conditions, ..Asked::new(action, resource) }];
        let facts = RequestFacts {
            time: self.environment.now(),
            source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            region: self.region.as_str(),
            user_agent: Some(SERVICE),
            secure_transport: false,
        };
        self.access.authorize(&caller, &asked, &facts).await.map_err(|error| match error {
            NotAllowed::Denied(denied) => Refusal(format!("AccessDenied: {}", denied.message)),
            NotAllowed::Failed(error) => Refusal(format!("ServerException: {error}")),
        })
    }

    fn certificate(&self, name: &str, now: Timestamp) -> Result<NewCertificate, Refusal> {
        let failed =
            |error: rcgen::Error| Refusal(format!("the certificate of {name} cannot be made: {error}"));
        let at = |time: Timestamp| {
            let seconds = u64::try_from(time.as_millis() / 1000).unwrap_or_default();
            SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
        };
        let mut wanted = CertificateParams::new(vec![name.to_owned()]).map_err(failed)?;
        wanted.distinguished_name.remove(DnType::CommonName);
        // A common name has at most 64 characters; what counts is the alternative name.
        wanted.distinguished_name.push(DnType::CommonName, "Longshore Express service");
        wanted.not_before = at(now - EARLY).into();
        wanted.not_after = at(now + VALID).into();
        let key = KeyPair::generate().map_err(failed)?;
        let made = wanted.self_signed(&key).map_err(failed)?;
        Ok(NewCertificate {
            body: pem("CERTIFICATE", made.der()),
            private_key: Zeroizing::new(pem("PRIVATE KEY", &Zeroizing::new(key.serialize_der()))),
            expires_at: now + VALID,
        })
    }
}

/// Bytes as PEM (RFC 7468).
fn pem(label: &str, der: &[u8]) -> String {
    let text = Zeroizing::new(STANDARD.encode(der));
    // Base64 is ASCII, so it may be cut anywhere.
    let lines = text.as_bytes().chunks(64).map(String::from_utf8_lossy);
    let body: String = lines.flat_map(|line| [line.into_owned(), "\n".to_owned()]).collect();
    format!("-----BEGIN {label}-----\n{body}-----END {label}-----\n")
}

/// Parameters as a form.
fn form(parameters: &[(String, String)]) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, RESERVED).to_string();
    let pairs = parameters.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// Code and message of an error, in XML or JSON.
fn said(body: &str) -> Option<String> {
    if let Ok(value) = serde_json::from_str::<serde_json::Value>(body) {
        let code = value["__type"].as_str()?.rsplit('#').next()?;
        let message = value["message"].as_str().or(value["Message"].as_str()).unwrap_or_default();
        return Some(format!("{code}: {message}"));
    }
    let element = |name: &str| {
        let (_, rest) = body.split_once(&format!("<{name}>"))?;
        rest.split_once(&format!("</{name}>")).map(|(text, _)| unescaped(text))
    };
    Some(format!("{}: {}", element("Code")?, element("Message").unwrap_or_default()))
}

/// Text of XML. The ampersand comes last, so that what it made is not read again.
fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&#39;", "'")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_is_said_alike_in_both_protocols() {
        let xml = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User: &quot;a&quot; \
                   &amp;lt; b</Message></Error></ErrorResponse>";
        assert_eq!(said(xml).as_deref(), Some("AccessDenied: User: \"a\" &lt; b"));
        let json = r#"{"__type":"com.amazonaws.logs#LimitExceededException","message":"too many"}"#;
        assert_eq!(said(json).as_deref(), Some("LimitExceededException: too many"));
        assert_eq!(said("<html/>"), None);
    }

    #[test]
    fn parameters_are_sent_as_they_are() {
        let pairs = [("Actions.member.1.Type", "forward"), ("Path", "/a?b=c&d e")];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(form(&pairs), "Actions.member.1.Type=forward&Path=%2Fa%3Fb%3Dc%26d%20e");
    }
}
