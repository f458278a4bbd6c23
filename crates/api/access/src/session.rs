//! Temporary credentials: an access key whose secret and facts are sealed in its session token.
//!
//! Nothing of a session is stored. A token opens only with the region's keys; it ends by its own time, or when the user,
//! the role or the access key behind it goes.

use crate::keys::SECRET_ALPHABET;
use crate::{Access, Session, key_id};
use environment::Timestamp;
use resources::access::Secret;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// What session tokens are sealed for.
const PURPOSE: &str = "session-token";
/// Longest token that is looked at; ours have about one to eight thousand bytes.
const MOST_TOKEN_BYTES: usize = 32 * 1024;

/// Temporary credentials.
#[derive(Clone, Debug)]
pub struct SessionCredentials {
    /// 20 characters that begin with `ASIA`.
    pub access_key_id: String,
    /// 40 characters.
    pub secret_access_key: Secret,
    /// The sealed facts.
    pub session_token: Secret,
    /// When they were given out.
    pub issued_at: Timestamp,
    /// When they end.
    pub expires_at: Timestamp,
}

/// What is in a session token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Sealed {
    pub(crate) access_key_id: String,
    pub(crate) secret: Secret,
    pub(crate) facts: Arc<Session>,
}

impl Access {
    /// Gives out temporary credentials. Whether they may be had is the caller's to check.
    pub fn issue(&self, session: Session, duration: Duration) -> SessionCredentials {
        let environment = self.environment();
        let now = environment.now();
        let facts = Session { issued_at: now, expires_at: now + duration, ..session };
        let (issued_at, expires_at) = (facts.issued_at, facts.expires_at);
        let sealed = Sealed {
            access_key_id: key_id::fresh("ASIA", &facts.account, environment),
            secret: Secret::new(environment.random_text(40, SECRET_ALPHABET)),
            facts: Arc::new(facts),
        };
        SessionCredentials {
            session_token: Secret::new(self.seal_session(&sealed)),
            access_key_id: sealed.access_key_id,
            secret_access_key: sealed.secret,
            issued_at,
            expires_at,
        }
    }

    fn seal_session(&self, sealed: &Sealed) -> String {
        // A structure of texts, numbers and lists always has a JSON form.
        let plain = zeroize(serde_json::to_vec(sealed).unwrap_or_default());
        self.keys.seal(PURPOSE, &plain)
    }

    /// What is in a session token; `None` when it is not one of ours. It may have ended.
    pub(crate) fn open_session(&self, token: &str) -> Option<Arc<Sealed>> {
        if token.len() > MOST_TOKEN_BYTES {
            return None;
        }
        if let Some(known) = self.sessions.get(token) {
            return Some(known);
        }
        let plain = self.keys.open(PURPOSE, token).ok()?;
        let sealed: Arc<Sealed> = Arc::new(serde_json::from_slice(&plain).ok()?);
        self.sessions.insert(token.into(), sealed.clone());
        Some(sealed)
    }
}

/// Wipes a buffer with a secret when it is dropped.
fn zeroize(bytes: Vec<u8>) -> zeroize::Zeroizing<Vec<u8>> {
    zeroize::Zeroizing::new(bytes)
}
