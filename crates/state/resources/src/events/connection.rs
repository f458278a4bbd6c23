//! Connections, which hold how an HTTP endpoint is told who calls, and API destinations.

use crate::Stored;
use crate::sealed::{SealedText, Sealing};
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};

/// How HTTP endpoints are told who calls. Secret values are in `sealed` alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Owner.
    pub account: AccountId,
    /// Name.
    pub name: String,
    /// UUID, the last part of its ARN.
    pub id: String,
    /// Description.
    #[serde(default)]
    pub description: Option<String>,
    /// How the caller shows who it is.
    pub authorization: Authorization,
    /// Further parameters of each request; secret ones have no value here.
    #[serde(default)]
    pub parameters: Vec<ConnectionParameter>,
    /// The password or the key, and then the values of the secret parameters in their order, as a JSON list of texts.
    pub sealed: SealedText,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub modified_at: Timestamp,
    /// When its authorization was last given.
    pub authorized_at: Timestamp,
}

/// How the caller shows who it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Authorization {
    /// A header with a key.
    ApiKey {
        /// Name of the header.
        name: String,
    },
    /// A user and a password.
    Basic {
        /// The user.
        username: String,
    },
}

/// A parameter of every request of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionParameter {
    /// Where it goes.
    pub place: ParameterPlace,
    /// Its name.
    pub key: String,
    /// Its value; none when it is secret.
    pub value: Option<String>,
}

/// Where a parameter goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ParameterPlace {
    /// A header.
    Header,
    /// The query string.
    Query,
    /// A member of the JSON body.
    Body,
}

/// An HTTP endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiDestination {
    /// Owner.
    pub account: AccountId,
    /// Name.
    pub name: String,
    /// UUID, the last part of its ARN.
    pub id: String,
    /// Description.
    #[serde(default)]
    pub description: Option<String>,
    /// Name of its connection.
    pub connection: String,
    /// ARN of its connection.
    pub connection_arn: String,
    /// URL; asterisks stand for values that the target gives.
    pub endpoint: String,
    /// HTTP method.
    pub method: String,
    /// Most calls of a second.
    pub rate: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub modified_at: Timestamp,
}

impl Stored for Connection {
    const TABLE: &'static str = "events/connection";

    fn key(&self) -> String {
        format!("{}/{}", self.account, self.name)
    }
}

impl Sealing for Connection {
    fn purpose(&self) -> String {
        format!("events-connection/{}/{}/{}", self.account, self.name, self.id)
    }

    fn sealed(&self) -> &SealedText {
        &self.sealed
    }

    fn with_sealed(&self, sealed: SealedText) -> Self {
        Self { sealed, ..self.clone() }
    }
}

impl Stored for ApiDestination {
    const TABLE: &'static str = "events/api-destination";

    fn key(&self) -> String {
        format!("{}/{}", self.account, self.name)
    }
}
