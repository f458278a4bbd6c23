//! Registry passwords: who may log in and until when, sealed with a key of the region.

use crate::Caller;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use environment::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use identifiers::AccountId;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::time::Duration;
use subtle::ConstantTimeEq;

/// How long a password is good for, as on AWS.
pub const TOKEN_LIFE: Duration = Duration::from_secs(12 * 3600);

/// A registry password.
pub struct RegistryToken {
    /// The password for user `AWS`.
    pub password: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Content {
    account: AccountId,
    arn: String,
    id: String,
    expires: Timestamp,
}

pub(crate) fn seal(key: &[u8; 32], caller: &Caller, now: Timestamp) -> RegistryToken {
    let expires_at = now + TOKEN_LIFE;
    let content = Content {
        account: caller.account.clone(),
        arn: caller.principal_arn.to_string(),
        id: caller.principal_id.to_string(),
        expires: expires_at,
    };
    // A structure of texts and a number always has a JSON form.
    let text = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&content).unwrap_or_default());
    let seal = URL_SAFE_NO_PAD.encode(mac(key, text.as_bytes()));
    RegistryToken { password: format!("{text}.{seal}"), expires_at }
}

pub(crate) fn unseal(key: &[u8; 32], password: &str, now: Timestamp) -> Option<Caller> {
    let (text, seal) = password.split_once('.')?;
    let seal = URL_SAFE_NO_PAD.decode(seal).ok()?;
    if !bool::from(mac(key, text.as_bytes()).as_slice().ct_eq(&seal)) {
        return None;
    }
    let content: Content = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    (content.expires > now).then(|| Caller {
        account: content.account,
        principal_arn: content.arn.into(),
        principal_id: content.id.into(),
    })
}

fn mac(key: &[u8; 32], data: &[u8]) -> [u8; 32] {
    // HMAC takes keys of any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    mac.update(data);
    mac.finalize().into_bytes().into()
}
