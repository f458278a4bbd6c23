//! The text of a sealed value: `ls1.<id of the key>.<nonce, ciphertext and tag in base64url>`.

use crate::keys::{Key, KeyId, Keys};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use environment::Environment;
use zeroize::Zeroizing;

/// Marks the form of the text.
const FORMAT: &str = "ls1";
/// Bytes of a nonce.
const NONCE_BYTES: usize = 24;

/// Why a text does not open. What was sealed, or anything of it, is never part of this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It is no sealed text.
    #[error("this is not a sealed value")]
    Malformed,
    /// The ring does not have its key.
    #[error("the key {0} is not in the region's ring")]
    UnknownKey(KeyId),
    /// It was altered, or sealed for another purpose.
    #[error("this value was altered or sealed for something else")]
    Refused,
}

pub(crate) fn seal(key: &Key, purpose: &str, plain: &[u8], environment: &Environment) -> String {
    let mut nonce = [0; NONCE_BYTES];
    environment.fill_random(&mut nonce);
    let aad = bound(key.id, purpose);
    let sealed = cipher(key).encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: &aad });
    // The only failure is a message of more than 256 GiB, which no request and no stored value comes near.
    let sealed = sealed.expect("the message is shorter than 256 GiB");
    let mut bytes = Vec::with_capacity(NONCE_BYTES + sealed.len());
    bytes.extend_from_slice(&nonce);
    bytes.extend_from_slice(&sealed);
    format!("{FORMAT}.{}.{}", key.id, URL_SAFE_NO_PAD.encode(bytes))
}

pub(crate) fn open(keys: &Keys, purpose: &str, text: &str) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let (id, body) = parts(text).ok_or(OpenError::Malformed)?;
    let key = keys.find(id).ok_or(OpenError::UnknownKey(id))?;
    let bytes = URL_SAFE_NO_PAD.decode(body).map_err(|_| OpenError::Malformed)?;
    let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or(OpenError::Malformed)?;
    let aad = bound(id, purpose);
    let opened = cipher(key).decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: &aad });
    opened.map(Zeroizing::new).map_err(|_| OpenError::Refused)
}

/// The key that a text was sealed with.
pub(crate) fn key_of(text: &str) -> Option<KeyId> {
    parts(text).map(|(id, _)| id)
}

fn parts(text: &str) -> Option<(KeyId, &str)> {
    let (id, body) = text.strip_prefix(FORMAT)?.strip_prefix('.')?.split_once('.')?;
    Some((id.parse().ok()?, body))
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new((&*key.bytes).into())
}

/// What is authenticated with a value. The id has a fixed length, so no purpose can be read as part of another.
fn bound(id: KeyId, purpose: &str) -> Vec<u8> {
    format!("{FORMAT}.{id}.{purpose}").into_bytes()
}
