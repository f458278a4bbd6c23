//! Who calls: access keys, and the tokens with which docker logs in to the registry.
//!
//! Every key is read from the store at each call, so a key that is deleted or made inactive stops working at once.
//! Policies are not evaluated yet; the only principals are the root of an account and the region's own host.

mod registry_token;

pub use registry_token::{RegistryToken, TOKEN_LIFE};

use environment::Environment;
use identifiers::AccountId;
use resources::access::{AccessKey, RegionSecret, Secret};
use std::sync::Arc;
use store::{StoreError, Tables, Versioned};

/// Characters of access key ids, as AWS uses them.
const ID_ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Characters of secrets.
const SECRET_ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// Name of the key that seals registry tokens.
const TOKEN_SECRET: &str = "registry-token";

/// Somebody who has shown who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account.
    pub account: AccountId,
    /// ARN of the principal.
    pub principal_arn: Arc<str>,
    /// Unique id of the principal.
    pub principal_id: Arc<str>,
}

/// Looks up who calls; cheap to clone.
#[derive(Clone)]
pub struct Access {
    tables: Tables,
    token_key: Arc<[u8; 32]>,
}

impl Access {
    /// Opens the region's access, making its secrets at the first start.
    pub async fn open(tables: Tables) -> Result<Self, StoreError> {
        let secret = token_secret(&tables).await?;
        let damaged = |_| StoreError::Unreadable {
            key: TOKEN_SECRET.to_owned(),
            reason: "it is not a key of 32 bytes".to_owned(),
        };
        let mut key = [0u8; 32];
        // Read to seal and check registry tokens.
        hex::decode_to_slice(secret.secret.expose(), &mut key).map_err(damaged)?;
        Ok(Self { tables, token_key: Arc::new(key) })
    }

    /// An active access key.
    pub async fn access_key(&self, id: &str) -> Result<Option<Versioned<AccessKey>>, StoreError> {
        // Ids are plain; anything else cannot be a key and is not looked up.
        if id.len() > 128 || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Ok(None);
        }
        Ok(self.tables.get::<AccessKey>(id).await?.filter(|key| key.active))
    }

    /// Makes an access key for a principal.
    pub async fn create_key(&self, caller: &Caller) -> Result<Versioned<AccessKey>, StoreError> {
        self.tables.create(new_key(self.tables.environment(), caller)).await
    }

    /// Stores an access key that exists outside the store already, such as the root key on disk.
    pub async fn ensure_key(&self, key: AccessKey) -> Result<(), StoreError> {
        match self.tables.create(key).await {
            Ok(_) | Err(StoreError::AlreadyExists(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The root of an account.
    pub fn root(account: &AccountId) -> Caller {
        Caller {
            account: account.clone(),
            principal_arn: format!("arn:aws:iam::{account}:root").into(),
            principal_id: account.as_str().into(),
        }
    }

    /// A password for the registry, good for [`TOKEN_LIFE`].
    pub fn registry_token(&self, caller: &Caller) -> RegistryToken {
        registry_token::seal(&self.token_key, caller, self.tables.environment().now())
    }

    /// The caller whom a registry password was given to; `None` when it is forged or expired.
    pub fn registry_caller(&self, password: &str) -> Option<Caller> {
        registry_token::unseal(&self.token_key, password, self.tables.environment().now())
    }
}

/// The key that seals registry tokens, made when there is none. Servers that start together take the same one.
async fn token_secret(tables: &Tables) -> Result<Versioned<RegionSecret>, StoreError> {
    if let Some(secret) = tables.get::<RegionSecret>(TOKEN_SECRET).await? {
        return Ok(secret);
    }
    let mut key = [0u8; 32];
    tables.environment().fill_random(&mut key);
    let secret = RegionSecret { name: TOKEN_SECRET.to_owned(), secret: Secret::new(hex::encode(key)) };
    match tables.create(secret).await {
        Err(error @ StoreError::AlreadyExists(_)) => tables.get(TOKEN_SECRET).await?.ok_or(error),
        made => made,
    }
}

/// A fresh access key, not stored yet.
pub fn new_key(environment: &Environment, caller: &Caller) -> AccessKey {
    AccessKey {
        access_key_id: format!("AKIA{}", environment.random_text(16, ID_ALPHABET)),
        secret: Secret::new(environment.random_text(40, SECRET_ALPHABET)),
        account: caller.account.clone(),
        principal_arn: caller.principal_arn.to_string(),
        principal_id: caller.principal_id.to_string(),
        active: true,
        created_at: environment.now(),
        user: None,
    }
}

impl From<&AccessKey> for Caller {
    fn from(key: &AccessKey) -> Self {
        Self {
            account: key.account.clone(),
            principal_arn: key.principal_arn.as_str().into(),
            principal_id: key.principal_id.as_str().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use environment::Timestamp;
    use std::time::Duration;
    use store::MemoryStore;

    #[tokio::test]
    async fn keys_and_tokens() {
        let (environment, clock) = Environment::simulated(Timestamp::from_seconds(1_000), 1);
        let tables = Tables::new(MemoryStore::new(environment.clone()), environment);
        let access = Access::open(tables.clone()).await.expect("opens");
        let root = Access::root(&"123456789012".parse().expect("an account"));
        let key = access.create_key(&root).await.expect("creates");
        assert_eq!(key.access_key_id.len(), 20);
        let found = access.access_key(&key.access_key_id).await.expect("reads").expect("is there");
        assert_eq!(Caller::from(&*found.value), root);
        assert!(access.access_key("AKIANOBODY").await.expect("reads").is_none());
        assert!(access.access_key("../x").await.expect("reads").is_none());

        let token = access.registry_token(&root);
        let again = Access::open(tables.clone()).await.expect("opens again");
        assert_eq!(again.registry_caller(&token.password), Some(root.clone()));
        assert_eq!(again.registry_caller(&format!("{}x", token.password)), None);
        clock.advance(TOKEN_LIFE + Duration::from_secs(1));
        assert_eq!(again.registry_caller(&token.password), None);

        let inactive = AccessKey { active: false, ..(*found.value).clone() };
        tables.replace(&found, inactive).await.expect("replaces");
        assert!(access.access_key(&key.access_key_id).await.expect("reads").is_none());
    }
}
