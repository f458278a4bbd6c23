//! Access keys: made, looked up, and when they were last used.

use crate::{Access, Caller, key_id};
use environment::{Environment, Timestamp};
use resources::access::{AccessKey, KeyUse, Secret};
use std::time::Duration;
use store::{StoreError, Versioned};

/// Characters of secrets.
pub(crate) const SECRET_ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// A use this soon after one that was written down is not written down again.
const USE_IS_FRESH: Duration = Duration::from_secs(60);

/// When a key was last seen used, and for what.
#[derive(Clone)]
pub(crate) struct Used {
    at: Timestamp,
    service: String,
}

impl Access {
    /// An active access key.
    pub async fn access_key(&self, id: &str) -> Result<Option<Versioned<AccessKey>>, StoreError> {
        Ok(self.any_access_key(id).await?.filter(|key| key.active))
    }

    /// An access key, active or not.
    pub async fn any_access_key(&self, id: &str) -> Result<Option<Versioned<AccessKey>>, StoreError> {
        // Ids are plain; anything else cannot be a key and is not looked up.
        if id.len() > 128 || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Ok(None);
        }
        self.tables.get::<AccessKey>(id).await
    }

    /// Makes an access key for a principal that is no IAM user.
    pub async fn create_key(&self, caller: &Caller) -> Result<Versioned<AccessKey>, StoreError> {
        self.tables.create(new_key(self.environment(), caller)).await
    }

    /// Stores an access key that exists outside the store already, such as the root key on disk. One that was made for
    /// another principal is made over to this one.
    pub async fn ensure_key(&self, key: AccessKey) -> Result<(), StoreError> {
        match self.tables.create(key.clone()).await {
            Ok(_) => Ok(()),
            Err(StoreError::AlreadyExists(_)) => {
                let take_over = |old: &AccessKey| {
                    let other = old.principal_arn != key.principal_arn;
                    Ok::<_, StoreError>(
                        other.then(|| AccessKey { created_at: old.created_at, ..key.clone() }),
                    )
                };
                self.tables.update(&key.access_key_id, take_over).await.map(|_| ())
            }
            Err(error) => Err(error),
        }
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

/// A fresh access key, not stored yet.
pub fn new_key(environment: &Environment, caller: &Caller) -> AccessKey {
    AccessKey {
        access_key_id: key_id::fresh("AKIA", &caller.account, environment),
        secret: Secret::new(environment.random_text(40, SECRET_ALPHABET)),
        account: caller.account.clone(),
        principal_arn: caller.principal_arn.to_string(),
        principal_id: caller.principal_id.to_string(),
        active: true,
        created_at: environment.now(),
        user: None,
    }
}
