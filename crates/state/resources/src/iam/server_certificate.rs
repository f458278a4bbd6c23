//! Server certificates with their private keys.

use super::{arn_of, key_of};
use crate::Stored;
use crate::sealed::{SealedText, Sealing};
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};

/// A certificate of a server.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServerCertificate {
    /// Owner.
    pub account: AccountId,
    /// Name, unique in the account.
    pub name: String,
    /// Path, with `/` at both ends.
    pub path: String,
    /// Unique id, beginning with `ASCA`.
    pub id: String,
    /// The certificate in PEM.
    pub body: String,
    /// The certificates of those who vouch for it, in PEM.
    pub chain: Option<String>,
    /// The private key in PEM, sealed under a key of the region. It is never shown.
    pub sealed: SealedText,
    /// When it was uploaded.
    pub uploaded_at: Timestamp,
    /// Until when it is valid.
    pub expires_at: Timestamp,
    /// Tags.
    pub tags: Vec<(String, String)>,
}

impl ServerCertificate {
    /// Its ARN.
    pub fn arn(&self) -> String {
        arn_of(&self.account, "server-certificate", &self.path, &self.name)
    }
}

impl Stored for ServerCertificate {
    const TABLE: &'static str = "iam/server-certificate";

    fn key(&self) -> String {
        key_of(&self.account, &self.name)
    }
}

impl Sealing for ServerCertificate {
    fn purpose(&self) -> String {
        // It keeps its id when it gets another name.
        format!("server-certificate/{}/{}", self.account, self.id)
    }

    fn sealed(&self) -> &SealedText {
        &self.sealed
    }

    fn with_sealed(&self, sealed: SealedText) -> Self {
        Self { sealed, ..self.clone() }
    }
}
