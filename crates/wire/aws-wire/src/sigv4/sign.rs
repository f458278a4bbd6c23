//! Signing requests of our own clients.

use super::canonical::{canonical_request, hexadecimal, payload_hash, string_to_sign};
use super::{ALGORITHM, AuthError, Authorization, hmac, signing_key};
use environment::Timestamp;
use http::HeaderValue;
use http::request::Parts;

/// Who signs, and for whom.
#[derive(Clone)]
pub struct Signer {
    /// The access key.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: String,
    /// Session token of temporary credentials.
    pub session_token: Option<String>,
    /// Region the request goes to.
    pub region: String,
}

/// Signs a request for `service`: adds `X-Amz-Date`, the token and `Authorization`. The request must have its `Host`
/// header; every header it has is signed, so later changes break the signature.
pub fn sign(
    parts: &mut Parts,
    body: &[u8],
    signer: &Signer,
    service: &str,
    now: Timestamp,
) -> Result<(), AuthError> {
    let not_text = |_| AuthError::Incomplete("a header value is not text".to_owned());
    let stamp = now.to_basic();
    parts.headers.insert("x-amz-date", HeaderValue::from_str(&stamp).map_err(not_text)?);
    if let Some(token) = &signer.session_token {
        parts.headers.insert("x-amz-security-token", HeaderValue::from_str(token).map_err(not_text)?);
    }
    let names: Vec<String> = parts.headers.keys().map(|name| name.as_str().to_owned()).collect();
    let mut signed_headers: Vec<&str> = names.iter().map(String::as_str).collect();
    signed_headers.sort_unstable();
    signed_headers.dedup();
    let credential =
        format!("{}/{}/{}/{service}/aws4_request", signer.access_key_id, &stamp[..8], signer.region);
    let authorization = Authorization {
        credential: &credential,
        access_key_id: &signer.access_key_id,
        date: &stamp[..8],
        region: &signer.region,
        service,
        signed_headers,
        signature: "",
        timestamp: now,
        stamp: stamp.as_str().into(),
        expires_in: None,
        session_token: None,
    };
    let request = canonical_request(&authorization, parts, &payload_hash(body))?;
    let key = signing_key(&signer.secret_access_key, authorization.date, &signer.region, service);
    let signature = hexadecimal(&hmac(&key, string_to_sign(&authorization, &request).as_bytes()));
    let value = format!(
        "{ALGORITHM} Credential={credential}, SignedHeaders={}, Signature={signature}",
        authorization.signed_headers.join(";"),
    );
    parts.headers.insert(http::header::AUTHORIZATION, HeaderValue::from_str(&value).map_err(not_text)?);
    Ok(())
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}
