//! Signature Version 4: verifying what clients send, and signing what our own clients send.
//!
//! Follows the SigV4 signing process of the AWS General Reference. The canonical request is built from the raw
//! request target; services other than S3 encode the path twice and normalise it.

mod canonical;
mod parse;
mod sign;

pub use canonical::payload_hash;
pub use parse::{Authorization, parse};
pub use sign::{Signer, sign};

use crate::{ErrorShape, Fault, ServiceError};
use canonical::{canonical_request, hexadecimal, string_to_sign};
use environment::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use http::request::Parts;
use quick_cache::sync::Cache;
use sha2::Sha256;
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The only algorithm answered; SigV4a is used for multi-region endpoints, which a region is not.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How far a client's clock may be off.
const MAX_SKEW: Duration = Duration::from_secs(15 * 60);
/// Derived keys kept, one per access key, day, region and service.
const CACHED_KEYS: usize = 1024;

/// Why a request is not authenticated.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AuthError {
    /// Nothing says who is calling.
    #[error("Missing Authentication Token")]
    Missing,
    /// The authorization cannot be read.
    #[error("{0}")]
    Incomplete(String),
    /// No such access key, or it is inactive, or the session token is not its own.
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    /// The signature is another.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
         Access Key and signing method. Consult the service documentation for details."
    )]
    Mismatch,
    /// Signed too long ago or too far ahead, or for another region or service.
    #[error("{0}")]
    Invalid(String),
    /// The session of the temporary credentials is over.
    #[error("The security token included in the request is expired")]
    ExpiredToken,
    /// A presigned request past its time.
    #[error("Request has expired.")]
    Expired,
}

static MISSING: ErrorShape = shape("MissingAuthenticationTokenException", "MissingAuthenticationToken", 403);
static INCOMPLETE: ErrorShape = shape("IncompleteSignatureException", "IncompleteSignature", 400);
static UNKNOWN_KEY: ErrorShape = shape("UnrecognizedClientException", "InvalidClientTokenId", 403);
static INVALID: ErrorShape = shape("InvalidSignatureException", "SignatureDoesNotMatch", 403);
static EXPIRED_TOKEN: ErrorShape = shape("ExpiredTokenException", "ExpiredToken", 403);
static EXPIRED: ErrorShape = shape("ExpiredTokenException", "RequestExpired", 403);

const fn shape(name: &'static str, query: &'static str, status: u16) -> ErrorShape {
    ErrorShape { name, query_code: Some(query), status, fault: Fault::Sender, message_key: "message" }
}

impl AuthError {
    /// The error as AWS answers it.
    pub fn to_service_error(&self) -> ServiceError {
        let shape = match self {
            Self::Missing => &MISSING,
            Self::Incomplete(_) => &INCOMPLETE,
            Self::UnknownKey => &UNKNOWN_KEY,
            Self::Mismatch | Self::Invalid(_) => &INVALID,
            Self::ExpiredToken => &EXPIRED_TOKEN,
            Self::Expired => &EXPIRED,
        };
        ServiceError::new(shape, self.to_string())
    }
}

/// Verifies signatures; remembers derived keys.
pub struct Verifier {
    /// By credential scope with its access key id, as the client sends it.
    keys: Cache<Box<str>, Arc<DerivedKey>>,
}

/// The signing key of an access key for a day, region and service.
struct DerivedKey {
    /// What it was derived from: an access key that is deleted and made anew must not find the old one.
    secret: Zeroizing<String>,
    /// Keyed already, which saves a third of the work of each signature.
    mac: Hmac<Sha256>,
}

impl Default for Verifier {
    fn default() -> Self {
        Self { keys: Cache::new(CACHED_KEYS) }
    }
}

impl Verifier {
    /// Checks date and scope of an authorization, before its key is looked up.
    pub fn check_scope(
        authorization: &Authorization<'_>,
        region: &str,
        service: &str,
        now: Timestamp,
    ) -> Result<(), AuthError> {
        if authorization.service != service {
            return Err(AuthError::Invalid(format!(
                "Credential should be scoped to correct service: '{service}'. "
            )));
        }
        // IAM and STS are signed for us-east-1 wherever their region is.
        let global = service == "iam" || service == "sts";
        if authorization.region != region && !(global && authorization.region == "us-east-1") {
            return Err(AuthError::Invalid(format!(
                "Credential should be scoped to a valid region, this one is '{region}'. "
            )));
        }
        check_time(authorization, now)
    }

    /// Checks the signature, in constant time.
    pub fn verify(
        &self,
        authorization: &Authorization<'_>,
        parts: &Parts,
        body: &[u8],
        secret: &str,
    ) -> Result<(), AuthError> {
        check_target_is_signed(authorization, parts)?;
        let hash = canonical::claimed_payload_hash(authorization, parts, body)?;
        let request = canonical_request(authorization, parts, &hash)?;
        let text = string_to_sign(authorization, &request);
        let mut mac = self.key(authorization, secret).mac.clone();
        mac.update(text.as_bytes());
        let signature = hexadecimal(&mac.finalize().into_bytes());
        if bool::from(signature.as_bytes().ct_eq(authorization.signature.as_bytes())) {
            Ok(())
        } else {
            Err(AuthError::Mismatch)
        }
    }

    fn key(&self, authorization: &Authorization<'_>, secret: &str) -> Arc<DerivedKey> {
        let found = self.keys.get(authorization.credential);
        if let Some(key) = found.filter(|key| bool::from(key.secret.as_bytes().ct_eq(secret.as_bytes()))) {
            return key;
        }
        let Authorization { date, region, service, .. } = authorization;
        let mac = keyed(&signing_key(secret, date, region, service));
        let key = Arc::new(DerivedKey { secret: Zeroizing::new(secret.to_owned()), mac });
        self.keys.insert(authorization.credential.into(), key.clone());
        key
    }
}

/// The operation of a JSON call is in a header: one that is not signed could be exchanged for another on the way.
fn check_target_is_signed(authorization: &Authorization<'_>, parts: &Parts) -> Result<(), AuthError> {
    const TARGET: &str = "x-amz-target";
    if parts.headers.contains_key(TARGET) && !authorization.signed_headers.contains(&TARGET) {
        let text = "'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization.";
        return Err(AuthError::Incomplete(text.to_owned()));
    }
    Ok(())
}

fn check_time(authorization: &Authorization<'_>, now: Timestamp) -> Result<(), AuthError> {
    let (signed, stamp) = (authorization.timestamp, &authorization.stamp);
    if !stamp.starts_with(authorization.date) || authorization.date.len() != 8 {
        return Err(AuthError::Invalid(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != '{}', \
             from '{stamp}'.",
            shorten(authorization.date),
            stamp.get(..8).unwrap_or_default(),
        )));
    }
    if signed > now + MAX_SKEW {
        return Err(AuthError::Invalid(format!(
            "Signature not yet current: {stamp} is still later than {} ({} + 15 min.)",
            (now + MAX_SKEW).to_basic(),
            now.to_basic(),
        )));
    }
    match authorization.expires_in {
        Some(lifetime) if signed + lifetime < now => Err(AuthError::Expired),
        None if signed + MAX_SKEW < now => Err(AuthError::Invalid(format!(
            "Signature expired: {stamp} is now earlier than {} ({} - 15 min.)",
            (now - MAX_SKEW).to_basic(),
            now.to_basic(),
        ))),
        _ => Ok(()),
    }
}

/// As much of a client's text as an error may repeat.
fn shorten(text: &str) -> String {
    text.chars().take(64).collect()
}

/// The key of a day, region and service, derived from a secret.
fn signing_key(secret: &str, date: &str, region: &str, service: &str) -> [u8; 32] {
    let key = hmac(format!("AWS4{secret}").as_bytes(), date.as_bytes());
    [region, service, "aws4_request"].iter().fold(key, |key, part| hmac(&key, part.as_bytes()))
}

fn hmac(key: &[u8], data: &[u8]) -> [u8; 32] {
    let mut mac = keyed(key);
    mac.update(data);
    mac.finalize().into_bytes().into()
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    // HMAC takes keys of any length.
    Hmac::new_from_slice(key).expect("a key of any length")
}

#[cfg(test)]
mod tests;
