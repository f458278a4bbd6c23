//! Access keys: made, looked up, and when they were last used.

use crate::{Access, Caller, key_id};
use encryption::KeyRing;
use environment::{Environment, Timestamp};
use resources::access::{AccessKey, ClearAccessKey, KeyUse, Secret};
use resources::sealed::{SealedText, Sealing};
use std::sync::Arc;
use std::time::Duration;
use store::{Revision, StoreError, Versioned};

/// Characters of secrets.
pub(crate) const SECRET_ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// A use this soon after one that was written down is not written down again.
const USE_IS_FRESH: Duration = Duration::from_secs(60);

/// A fresh access key and its secret, which is shown to its owner once.
#[derive(Debug)]
pub struct NewKey {
    /// What is stored.
    pub key: AccessKey,
    /// The secret itself.
    pub secret: Secret,
}

/// The opened secret of an access key, good for one revision of its row.
pub(crate) struct OpenedKey {
    revision: Revision,
    secret: Arc<Secret>,
}

/// When a key was last seen used, and for what.
#[derive(Clone)]
pub(crate) struct Used {
    at: Timestamp,
    service: String,
}

impl Access {
    /// An active access key.
    pub async fn access_key(&self, id: &str) -> Result<Option<Versioned<AccessKey>>, StoreError> {
        let active = self.any_access_key(id).await?.filter(|key| key.active);
        if active.is_none() {
            // Its secret is needed no more.
            self.opened.remove(id);
        }
        Ok(active)
    }

    /// An access key, active or not.
    pub async fn any_access_key(&self, id: &str) -> Result<Option<Versioned<AccessKey>>, StoreError> {
        // Ids are plain; anything else cannot be a key and is not looked up.
        if id.len() > 128 || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Ok(None);
        }
        self.tables.get::<AccessKey>(id).await
    }

    /// The secret of an access key as it was read. Opening takes longer than all else that a signature needs, so the
    /// secret is remembered as long as the row is the same.
    pub(crate) fn secret_of(&self, key: &Versioned<AccessKey>) -> Result<Arc<Secret>, StoreError> {
        let id = key.access_key_id.as_str();
        if let Some(opened) = self.opened.get(id).filter(|opened| opened.revision == key.revision) {
            return Ok(opened.secret.clone());
        }
        let secret = Arc::new(self.open_secret(key)?);
        let opened = OpenedKey { revision: key.revision, secret: secret.clone() };
        self.opened.insert(id.into(), Arc::new(opened));
        Ok(secret)
    }

    fn open_secret(&self, key: &AccessKey) -> Result<Secret, StoreError> {
        let unreadable = |reason| StoreError::Unreadable { key: key.access_key_id.clone(), reason };
        let plain = self.keys.open(&key.purpose(), key.sealed.as_str());
        let plain = plain.map_err(|error| unreadable(error.to_string()))?;
        let text = std::str::from_utf8(&plain).map_err(|_| unreadable("its secret is no text".to_owned()))?;
        Ok(Secret::new(text))
    }

    /// Makes an access key for a principal that is no IAM user.
    pub async fn create_key(&self, caller: &Caller) -> Result<NewKey, StoreError> {
        let new = new_key(self.environment(), &self.keys, caller);
        self.tables.create(new.key.clone()).await?;
        Ok(new)
    }

    /// Stores an access key that exists outside the store already, such as the root key on disk. One that was made for
    /// another principal is made over to this one; one whose secret does not open any more is sealed anew.
    pub async fn ensure_key(&self, id: &str, secret: &Secret, caller: &Caller) -> Result<(), StoreError> {
        let key = row(self.environment(), &self.keys, caller, id.to_owned(), secret);
        match self.tables.create(key.clone()).await {
            Ok(_) => Ok(()),
            Err(StoreError::AlreadyExists(_)) => {
                let take_over = |old: &AccessKey| {
                    let other = old.principal_arn != key.principal_arn || self.open_secret(old).is_err();
                    Ok::<_, StoreError>(
                        other.then(|| AccessKey { created_at: old.created_at, ..key.clone() }),
                    )
                };
                self.tables.update(&key.access_key_id, take_over).await.map(|_| ())
            }
            Err(error) => Err(error),
        }
    }

    /// Seals the secrets of keys that a store holds in the clear, because it was written before they were sealed.
    pub async fn seal_clear_keys(&self) -> Result<(), StoreError> {
        for clear in self.tables.list_all::<ClearAccessKey>("").await? {
            let purpose = AccessKey::purpose_of(&clear.access_key_id);
            let key = AccessKey {
                access_key_id: clear.access_key_id.clone(),
                // Read to be sealed.
                sealed: SealedText::new(self.keys.seal(&purpose, clear.secret.expose().as_bytes())),
                account: clear.account.clone(),
                principal_arn: clear.principal_arn.clone(),
                principal_id: clear.principal_id.clone(),
                active: clear.active,
                created_at: clear.created_at,
                user: clear.user.clone(),
            };
            self.tables.batch().create(&key).delete(&clear).commit().await?;
        }
        Ok(())
    }

    /// Notes that a key of a user was used for a service. Written down at most once a minute for each key.
    pub async fn note_use(&self, caller: &Caller, service: &str, region: &str) {
        let Some(id) = caller.access_key_id.as_deref().filter(|id| id.starts_with("AKIA")) else { return };
        if !self.is_news(id, service) {
            return;
        }
        let used = KeyUse {
            access_key_id: id.to_owned(),
            used_at: self.environment().now(),
            service: service.to_owned(),
            region: region.to_owned(),
        };
        if let Err(error) = self.tables.batch().put_any(&used).commit().await {
            tracing::warn!(%error, "cannot note the use of an access key");
        }
    }

    /// Whether a use is worth to be written down: the last one was of another service, or is a minute ago.
    pub(crate) fn is_news(&self, id: &str, service: &str) -> bool {
        let now = self.environment().now();
        let fresh = |used: &Used| now < used.at + USE_IS_FRESH && used.service == service;
        if self.uses.get(id).as_ref().is_some_and(fresh) {
            return false;
        }
        self.uses.insert(id.into(), Used { at: now, service: service.to_owned() });
        true
    }
}

/// A fresh access key, not stored yet; its secret is sealed with `keys`.
pub fn new_key(environment: &Environment, keys: &KeyRing, caller: &Caller) -> NewKey {
    let id = key_id::fresh("AKIA", &caller.account, environment);
    let secret = Secret::new(environment.random_text(40, SECRET_ALPHABET));
    NewKey { key: row(environment, keys, caller, id, &secret), secret }
}

fn row(environment: &Environment, keys: &KeyRing, caller: &Caller, id: String, secret: &Secret) -> AccessKey {
    // Read to be sealed.
    let sealed = keys.seal(&AccessKey::purpose_of(&id), secret.expose().as_bytes());
    AccessKey {
        access_key_id: id,
        sealed: SealedText::new(sealed),
        account: caller.account.clone(),
        principal_arn: caller.principal_arn.to_string(),
        principal_id: caller.principal_id.to_string(),
        active: true,
        created_at: environment.now(),
        user: None,
    }
}
