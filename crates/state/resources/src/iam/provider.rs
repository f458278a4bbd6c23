//! Providers of identities from outside.

use super::arn_of;
use crate::Stored;
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};

/// An OpenID Connect provider whose tokens are taken by AssumeRoleWithWebIdentity.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OidcProvider {
    /// Owner.
    pub account: AccountId,
    /// Its issuer without `https://`, as ARNs and condition keys name it.
    pub url: String,
    /// Audiences that are taken.
    pub client_ids: Vec<String>,
    /// SHA-1 fingerprints of certificates, in hexadecimal.
    pub thumbprints: Vec<String>,
    /// Tags.
    pub tags: Vec<(String, String)>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl OidcProvider {
    /// Its ARN.
    pub fn arn(&self) -> String {
        arn_of(&self.account, "oidc-provider", "/", &self.url)
    }

    /// Key of the provider with an issuer, given without `https://`.
    pub fn key_of(account: &AccountId, url: &str) -> String {
        format!("{account}/{url}")
    }
}

impl Stored for OidcProvider {
    const TABLE: &'static str = "iam/oidc-provider";

    fn key(&self) -> String {
        Self::key_of(&self.account, &self.url)
    }
}
