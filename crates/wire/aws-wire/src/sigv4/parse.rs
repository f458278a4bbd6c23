//! The `Authorization` header, or the query parameters of a presigned request.

use super::{ALGORITHM, AuthError, shorten};
use environment::Timestamp;
use http::request::Parts;
use percent_encoding::percent_decode_str;
use std::borrow::Cow;
use std::time::Duration;

/// Longest life of a presigned request, in seconds.
const MOST_SECONDS: u64 = 604_800;

/// What a request says of its signature.
#[derive(Debug, PartialEq, Eq)]
pub struct Authorization<'a> {
    /// Access key and credential scope as sent: `id/date/region/service/aws4_request`.
    pub credential: &'a str,
    /// The access key.
    pub access_key_id: &'a str,
    /// Day of the credential scope, `YYYYMMDD`.
    pub date: &'a str,
    /// Region of the credential scope.
    pub region: &'a str,
    /// Service of the credential scope.
    pub service: &'a str,
    /// Names of the signed headers, lower case, in the order given.
    pub signed_headers: Vec<&'a str>,
    /// The signature in hexadecimal.
    pub signature: &'a str,
    /// When it was signed.
    pub timestamp: Timestamp,
    /// The same as text, `YYYYMMDDTHHMMSSZ`.
    pub stamp: Cow<'a, str>,
    /// Life of a presigned request; `None` for a signed header.
    pub expires_in: Option<Duration>,
    /// Session token, when the credentials are temporary.
    pub session_token: Option<Cow<'a, str>>,
}

impl Authorization<'_> {
    /// `date/region/service/aws4_request`.
    pub fn scope(&self) -> &str {
        // The credential begins with the id and a slash.
        self.credential.get(self.access_key_id.len() + 1..).unwrap_or_default()
    }

    /// Whether it came in the query string.
    pub fn is_presigned(&self) -> bool {
        self.expires_in.is_some()
    }
}

/// Reads the authorization of a request. `query` holds what [`decoded_query`] gave for it.
pub fn parse<'a>(parts: &'a Parts, query: &'a [(String, String)]) -> Result<Authorization<'a>, AuthError> {
    if let Some(header) = parts.headers.get(http::header::AUTHORIZATION) {
        let text =
            header.to_str().map_err(|_| AuthError::Incomplete("Authorization is not text".to_owned()))?;
        return from_header(parts, text);
    }
    if query.iter().any(|(name, _)| name == "X-Amz-Algorithm" || name == "X-Amz-Signature") {
        return from_query(query);
    }
    Err(AuthError::Missing)
}

/// The parameters of a query string, decoded.
pub(super) fn decoded_query(query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

impl<'a> Authorization<'a> {
    /// The parameters of a request's query string, as [`parse`] wants them.
    pub fn query_of(parts: &Parts) -> Vec<(String, String)> {
        decoded_query(parts.uri.query().unwrap_or_default())
    }

    fn build(
        credential: &'a str,
        signed_headers: &'a str,
        signature: &'a str,
        (timestamp, stamp): (Timestamp, Cow<'a, str>),
    ) -> Result<Self, AuthError> {
        let incomplete = |text: &str| AuthError::Incomplete(text.to_owned());
        let mut scope = credential.rsplitn(5, '/');
        let mut next = || scope.next().filter(|part| !part.is_empty());
        let (terminator, service, region, date, access_key_id) = (next(), next(), next(), next(), next());
        let (Some("aws4_request"), Some(service), Some(region), Some(date), Some(access_key_id)) =
            (terminator, service, region, date, access_key_id)
        else {
            return Err(incomplete(
                "Credential must have exactly 5 slash-delimited elements, e.g. \
                 keyid/date/region/service/aws4_request",
            ));
        };
        let signed_headers: Vec<&str> = signed_headers.split(';').collect();
        if !signed_headers.contains(&"host") {
            return Err(incomplete("'Host' must be a 'SignedHeader' in the AWS Authorization."));
        }
        Ok(Self {
            credential,
            access_key_id,
            date,
            region,
            service,
            signed_headers,
            signature,
            timestamp,
            stamp,
            expires_in: None,
            session_token: None,
        })
    }
}

fn from_header<'a>(parts: &'a Parts, header: &'a str) -> Result<Authorization<'a>, AuthError> {
    let (algorithm, fields) = header.split_once(' ').unwrap_or((header, ""));
    if algorithm == "Bearer" {
        return Err(AuthError::Missing);
    }
    if algorithm != ALGORITHM {
        return Err(AuthError::Incomplete(format!("Unsupported AWS 'algorithm': '{}'.", shorten(algorithm))));
    }
    let field = |name: &str| {
        fields
            .split(',')
            .filter_map(|field| field.trim().split_once('='))
            .find_map(|(key, value)| (key == name).then_some(value))
            .ok_or_else(|| {
                AuthError::Incomplete(format!("Authorization header requires '{name}' parameter."))
            })
    };
    let (credential, signed, signature) =
        (field("Credential")?, field("SignedHeaders")?, field("Signature")?);
    let mut authorization = Authorization::build(credential, signed, signature, header_time(parts)?)?;
    authorization.session_token =
        parts.headers.get("x-amz-security-token").and_then(|token| token.to_str().ok()).map(Cow::Borrowed);
    Ok(authorization)
}

fn header_time(parts: &Parts) -> Result<(Timestamp, Cow<'_, str>), AuthError> {
    let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let unreadable = || AuthError::Incomplete("Date must be in ISO-8601 'basic format'.".to_owned());
    if let Some(basic) = text("x-amz-date") {
        return Ok((Timestamp::parse_basic(basic).ok_or_else(unreadable)?, basic.into()));
    }
    let date = text("date").ok_or_else(|| {
        AuthError::Incomplete(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.".to_owned(),
        )
    })?;
    let time = httpdate::parse_http_date(date).map(Timestamp::from_system).map_err(|_| unreadable())?;
    Ok((time, time.to_basic().into()))
}

fn from_query(query: &[(String, String)]) -> Result<Authorization<'_>, AuthError> {
    let field = |name: &str| query.iter().find_map(|(key, value)| (key == name).then_some(value.as_str()));
    let require = |name: &str| {
        field(name).ok_or_else(|| {
            AuthError::Incomplete(format!("AWS query-string parameters must include '{name}'."))
        })
    };
    let algorithm = require("X-Amz-Algorithm")?;
    if algorithm != ALGORITHM {
        return Err(AuthError::Incomplete(format!("Unsupported AWS 'algorithm': '{}'.", shorten(algorithm))));
    }
    let stamp = require("X-Amz-Date")?;
    let time = Timestamp::parse_basic(stamp)
        .ok_or_else(|| AuthError::Incomplete("X-Amz-Date must be in ISO-8601 'basic format'.".to_owned()))?;
    let seconds = require("X-Amz-Expires")?.parse::<u64>().ok().filter(|s| (1..=MOST_SECONDS).contains(s));
    let seconds = seconds.ok_or_else(|| {
        AuthError::Incomplete(format!("X-Amz-Expires must be between 1 and {MOST_SECONDS} seconds."))
    })?;
    let (credential, signed) = (require("X-Amz-Credential")?, require("X-Amz-SignedHeaders")?);
    let mut authorization =
        Authorization::build(credential, signed, require("X-Amz-Signature")?, (time, stamp.into()))?;
    authorization.expires_in = Some(Duration::from_secs(seconds));
    authorization.session_token = field("X-Amz-Security-Token").map(Cow::Borrowed);
    Ok(authorization)
}
