//! Web identity tokens: JWTs of OpenID Connect providers that an account has registered.

mod keys;
#[cfg(test)]
mod tests;
mod trust;

pub use keys::ProviderKeys;

use crate::errors::{bad_token, internal};
use crate::shapes::errors;
use aws_wire::ServiceError;
use environment::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use keys::NoKey;
use resources::iam::OidcProvider;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Signature algorithms that are taken. All are asymmetric, so a provider's public key can never serve as a secret.
const ALGORITHMS: [Algorithm; 8] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
];

/// What is read of a token.
#[derive(Debug, Deserialize)]
pub(crate) struct Claims {
    pub(crate) iss: String,
    pub(crate) sub: String,
    aud: Audience,
    exp: i64,
    #[serde(default)]
    nbf: Option<i64>,
    #[serde(default)]
    pub(crate) amr: Vec<String>,
    #[serde(default)]
    azp: Option<String>,
    #[serde(default, rename = "https://aws.amazon.com/tags")]
    pub(crate) tags: Tags,
    #[serde(default, rename = "https://aws.amazon.com/source_identity")]
    pub(crate) source_identity: Option<String>,
}

/// Session tags that a provider vouches for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Tags {
    #[serde(default)]
    pub(crate) principal_tags: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub(crate) transitive_tag_keys: Vec<String>,
}

/// One audience or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Claims {
    /// The audience that the provider is registered with.
    pub(crate) fn audience(&self, provider: &OidcProvider) -> Option<&str> {
        let registered = |audience: &&str| provider.client_ids.iter().any(|id| id == audience);
        let given = match &self.aud {
            Audience::One(one) => vec![one.as_str()],
            Audience::Several(several) => several.iter().map(String::as_str).collect(),
        };
        given.into_iter().chain(self.azp.as_deref()).find(registered)
    }
}

/// The issuer that a token names, without `https://`, before anything of it is believed.
pub(crate) fn issuer(token: &str) -> Result<String, ServiceError> {
    let claims: Value =
        unverified(token).ok_or_else(|| bad_token("The ID Token provided is not a valid JWT. "))?;
    let issuer = claims["iss"].as_str().ok_or_else(|| bad_token("Missing a required claim: iss"))?;
    Ok(issuer.trim_start_matches("https://").trim_end_matches('/').to_owned())
}

fn unverified(token: &str) -> Option<Value> {
    let mut validation = Validation::default();
    validation.insecure_disable_signature_validation();
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    validation.algorithms = ALGORITHMS.to_vec();
    Some(decode::<Value>(token, &DecodingKey::from_secret(&[]), &validation).ok()?.claims)
}

/// Verifies a token against its provider's keys, its times and its audience.
pub(crate) async fn verify(
    keys: &ProviderKeys,
    provider: &OidcProvider,
    token: &str,
    now: Timestamp,
) -> Result<Claims, ServiceError> {
    let malformed = || bad_token("The ID Token provided is not a valid JWT. ");
    let header = decode_header(token).map_err(|_| malformed())?;
    if !ALGORITHMS.contains(&header.alg) {
        return Err(bad_token("Unsupported signature algorithm of the token"));
    }
    let key = keys.find(provider, header.kid.as_deref()).await.map_err(|error| match error {
        NoKey::Unknown => bad_token(
            "Couldn't retrieve verification key from your identity provider,  please reference \
             AssumeRoleWithWebIdentity documentation for requirements",
        ),
        NoKey::Untrusted => {
            bad_token("OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint")
        }
        NoKey::Unreachable(reason) => {
            tracing::warn!(provider = provider.url, reason, "cannot fetch the keys of an identity provider");
            ServiceError::new(
                &errors::IDP_COMMUNICATION_ERROR_EXCEPTION,
                "There was a problem communicating with the identity provider",
            )
        }
        NoKey::Unreadable(reason) => internal(reason),
    })?;
    let key = DecodingKey::from_jwk(&key).map_err(|_| bad_token("The key of the token cannot be used"))?;
    let mut validation = Validation::new(header.alg);
    // Times are checked below, on the clock of the region.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    let claims = decode::<Claims>(token, &key, &validation)
        .map_err(|_| bad_token("Invalid identity token: its signature or claims are not right"))?
        .claims;
    let issuer = claims.iss.trim_start_matches("https://").trim_end_matches('/');
    if issuer != provider.url.trim_end_matches('/') {
        return Err(bad_token("The issuer of the token is another"));
    }
    if claims.exp <= now.as_seconds() {
        return Err(ServiceError::new(
            &errors::EXPIRED_TOKEN_EXCEPTION,
            format!(
                "Token expired: current date/time {} must be before the expiration date/time {}",
                now.as_seconds(),
                claims.exp
            ),
        ));
    }
    if claims.nbf.is_some_and(|nbf| nbf > now.as_seconds()) {
        return Err(bad_token("The token is not valid yet"));
    }
    if claims.audience(provider).is_none() {
        return Err(bad_token("Incorrect token audience"));
    }
    Ok(claims)
}
