//! Accounts of a region.

use crate::{Access, Caller, NewKey, new_key};
use identifiers::AccountId;
use resources::access::Account;
use store::StoreError;

/// Attempts to find an id that is not taken.
const MOST_ATTEMPTS: usize = 20;

/// Why an account is not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateAccountError {
    /// There is one with this id.
    #[error("there is an account {0} already")]
    Exists(AccountId),
    /// The store.
    #[error("write the account")]
    Store(#[from] StoreError),
}

impl Access {
    /// Makes an account, with this id or a random one, and the access key of its root.
    pub async fn create_account(&self, id: Option<AccountId>) -> Result<NewKey, CreateAccountError> {
        for _ in 0..MOST_ATTEMPTS {
            let account = match &id {
                Some(id) => id.clone(),
                None => self.random_account(),
            };
            let row = Account { id: account.clone(), created_at: self.environment().now() };
            let key = new_key(self.environment(), &self.keys, &Caller::root(&account));
            match self.tables.batch().create(&row).create(&key.key).commit().await {
                Ok(_) => return Ok(key),
                Err(StoreError::AlreadyExists(_) | StoreError::Conflict(_)) if id.is_none() => {}
                Err(StoreError::AlreadyExists(_) | StoreError::Conflict(_)) => {
                    return Err(CreateAccountError::Exists(account));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(CreateAccountError::Exists(self.random_account()))
    }

    /// Notes the account that a region is started with.
    pub async fn ensure_account(&self, id: &AccountId) -> Result<(), StoreError> {
        let row = Account { id: id.clone(), created_at: self.environment().now() };
        match self.tables.create(row).await {
            Ok(_) | Err(StoreError::AlreadyExists(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn random_account(&self) -> AccountId {
        let first = self.environment().random_text(1, b"123456789");
        let rest = self.environment().random_text(11, b"0123456789");
        format!("{first}{rest}").parse().expect("twelve digits")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use encryption::KeyRing;
    use environment::Environment;
    use store::{MemoryStore, Tables};

    #[tokio::test]
    async fn accounts_are_made_once() {
        let environment = Environment::real();
        let tables = Tables::new(MemoryStore::new(environment.clone()), environment.clone());
        let access = Access::new(tables, KeyRing::in_memory(environment));
        let own: AccountId = "123456789012".parse().expect("an account");
        access.ensure_account(&own).await.expect("notes");
        access.ensure_account(&own).await.expect("notes again");
        assert!(matches!(access.create_account(Some(own)).await, Err(CreateAccountError::Exists(_))));
        let key = access.create_account(None).await.expect("creates").key;
        let root = access.credential(&key.access_key_id, None).await.expect("is good").caller;
        assert_eq!(root, Caller { access_key_id: root.access_key_id.clone(), ..Caller::root(&key.account) });
    }
}
