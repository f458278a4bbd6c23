//! Registry passwords: which credentials may log in and until when, sealed with a key of the region.

use crate::credential::NoCredential;
use crate::{Access, Caller, CallerKind, Session};
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use store::StoreError;

/// How long a password is good for, as on AWS; one of a session no longer than the session.
pub const TOKEN_LIFE: Duration = Duration::from_secs(12 * 3600);
/// What registry passwords are sealed for.
const PURPOSE: &str = "registry-token";
/// Longest password that is looked at.
const MOST_TOKEN_BYTES: usize = 48 * 1024;

/// A registry password.
pub struct RegistryToken {
    /// The password for user `AWS`.
    pub password: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Content {
    origin: Origin,
    expires: Timestamp,
}

/// The credentials that a password stands for. They must still be good when it is used.
#[derive(Serialize, Deserialize)]
enum Origin {
    Key(String),
    Session {
        access_key_id: String,
        session: Arc<Session>,
    },
    /// The root of an account in a region that is open to everybody.
    Open(AccountId),
}

impl Access {
    /// A password for the registry, good for [`TOKEN_LIFE`] at most; none for callers without credentials.
    pub fn registry_token(&self, caller: &Caller) -> Option<RegistryToken> {
        let mut expires = self.environment().now() + TOKEN_LIFE;
        let origin = match (&caller.access_key_id, &caller.session) {
            (Some(id), Some(session)) => {
                expires = expires.min(session.expires_at);
                Origin::Session { access_key_id: id.to_string(), session: session.clone() }
            }
            (Some(id), None) => Origin::Key(id.to_string()),
            (None, _) if caller.kind == CallerKind::Root => Origin::Open(caller.account.clone()),
            (None, _) => return None,
        };
        // A structure of texts, numbers and lists always has a JSON form.
        let plain = serde_json::to_vec(&Content { origin, expires }).unwrap_or_default();
        Some(RegistryToken { password: self.keys.seal(PURPOSE, &plain), expires_at: expires })
    }

    /// The caller whom a registry password was given to; `None` when it is forged or over, or its credentials are.
    pub async fn registry_caller(&self, password: &str) -> Result<Option<Caller>, StoreError> {
        let Some(content) = self.open_registry_token(password) else { return Ok(None) };
        if content.expires <= self.environment().now() {
            return Ok(None);
        }
        match content.origin {
            Origin::Open(account) => Ok(Some(Caller::root(&account))),
            Origin::Key(id) => match self.access_key(&id).await? {
                Some(key) => self.caller_of_key(&key.value).await,
                None => Ok(None),
            },
            Origin::Session { access_key_id, session } => {
                match self.caller_of_session(&access_key_id, &session).await {
                    Ok(caller) => Ok(Some(caller)),
                    Err(NoCredential::Store(error)) => Err(error),
                    Err(NoCredential::Unknown | NoCredential::Expired) => Ok(None),
                }
            }
        }
    }

    fn open_registry_token(&self, password: &str) -> Option<Content> {
        if password.len() > MOST_TOKEN_BYTES {
            return None;
        }
        let plain = self.keys.open(PURPOSE, password).ok()?;
        serde_json::from_slice(&plain).ok()
    }
}
