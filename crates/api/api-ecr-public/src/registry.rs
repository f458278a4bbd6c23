//! The settings of a registry.

use crate::EcrPublicService;
use crate::errors::store;
use aws_wire::ServiceError;
use identifiers::AccountId;
use resources::ecr::Registry;
use store::StoreError;

/// Attempts at the row that others change at the same time.
const MOST_ATTEMPTS: usize = 20;

impl EcrPublicService {
    /// The registry of an account; as usual when nothing was ever set.
    pub(crate) async fn registry_of(&self, account: &AccountId) -> Result<Registry, ServiceError> {
        let found = self.tables.get::<Registry>(account.as_str()).await.map_err(store)?;
        Ok(found.map_or_else(|| Registry::new(account.clone()), |found| (*found.value).clone()))
    }

    /// Changes the registry of an account.
    pub(crate) async fn change_registry(
        &self,
        account: &AccountId,
        change: impl Fn(&mut Registry) -> Result<(), ServiceError>,
    ) -> Result<Registry, ServiceError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let found = self.tables.get::<Registry>(account.as_str()).await.map_err(store)?;
            let mut new =
                found.as_ref().map_or_else(|| Registry::new(account.clone()), |old| (*old.value).clone());
            change(&mut new)?;
            let batch = match &found {
                Some(old) => self.tables.batch().replace(old, &new),
                None => self.tables.batch().create(&new),
            };
            match batch.commit().await {
                Ok(_) => return Ok(new),
                Err(StoreError::Conflict(_)) if attempts < MOST_ATTEMPTS => {}
                Err(error) => return Err(store(error)),
            }
        }
    }
}
