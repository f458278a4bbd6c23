//! Tokens that anybody gets, to pull from the public registry.

use crate::Access;
use environment::Timestamp;
use std::time::Duration;

/// How long a token is good.
pub const PUBLIC_TOKEN_LIFE: Duration = Duration::from_secs(3600);
/// What tokens are sealed for.
const PURPOSE: &str = "public-pull";
/// Longest token that is looked at.
const MOST_BYTES: usize = 1024;

impl Access {
    /// A token for nobody in particular.
    pub fn public_token(&self) -> String {
        let expires = self.environment().now() + PUBLIC_TOKEN_LIFE;
        // A number always has a JSON form.
        self.keys.seal(PURPOSE, &serde_json::to_vec(&expires).unwrap_or_default())
    }

    /// Whether a text is such a token, and still good.
    pub fn is_public_token(&self, token: &str) -> bool {
        if token.len() > MOST_BYTES {
            return false;
        }
        let plain = self.keys.open(PURPOSE, token).ok();
        let expires = plain.and_then(|plain| serde_json::from_slice::<Timestamp>(&plain).ok());
        expires.is_some_and(|expires| expires > self.environment().now())
    }
}
