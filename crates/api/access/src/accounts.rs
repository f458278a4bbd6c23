//! Accounts of a region.

use crate::key_id::DIGITS;
use crate::{Access, Caller, NewKey, new_key};
use identifiers::AccountId;
use resources::access::Account;
use resources::iam::{PolicyUse, PrincipalPolicies, Role};
use store::{Batch, StoreError};

/// The execution role that a new account has, under the name that the console of ECS gives it.
const EXECUTION_ROLE: &str = "ecsTaskExecutionRole";
/// What it may do: pull images and write logs.
const EXECUTION_POLICY: &str = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy";
/// Whom it trusts.
const EXECUTION_TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
/// Longest session of the role, in seconds.
const EXECUTION_SESSION: u32 = 3600;
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
            let key = new_key(self.environment(), &self.keys, &Caller::root(&account));
            match self.new_account(&account).create(&key.key).commit().await {
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

    /// Makes the account that a region is started with, unless it is there.
    pub async fn ensure_account(&self, id: &AccountId) -> Result<(), StoreError> {
        match self.new_account(id).commit().await {
            Ok(_) | Err(StoreError::AlreadyExists(_) | StoreError::Conflict(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// An account and what is in it from the start. Where nobody is denied anything that is nothing, as suites written
    /// against mocks expect.
    fn new_account(&self, id: &AccountId) -> Batch {
        let now = self.environment().now();
        let batch = self.tables.batch().create(&Account { id: id.clone(), created_at: now });
        if self.open {
            return batch;
        }
        let role = Role {
            account: id.clone(),
            name: EXECUTION_ROLE.to_owned(),
            path: "/".to_owned(),
            id: format!("AROA{}", self.environment().random_text(17, DIGITS)),
            description: None,
            trust_policy: EXECUTION_TRUST.to_owned(),
            max_session_seconds: EXECUTION_SESSION,
            policies: PrincipalPolicies {
                attached: vec![EXECUTION_POLICY.to_owned()],
                ..PrincipalPolicies::default()
            },
            boundary: None,
            instance_profiles: vec![],
            linked_service: None,
            tags: vec![],
            created_at: now,
        };
        let used = PolicyUse {
            account: id.clone(),
            policy_arn: EXECUTION_POLICY.to_owned(),
            attachments: 1,
            boundaries: 0,
        };
        batch.create(&role).create(&used)
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
        let role = access.find_role(&format!("arn:aws:iam::{}:role/ecsTaskExecutionRole", key.account)).await;
        assert_eq!(role.expect("reads").expect("is there").policies.attached, [EXECUTION_POLICY]);
        assert_eq!(root, Caller { access_key_id: root.access_key_id.clone(), ..Caller::root(&key.account) });
    }
}
