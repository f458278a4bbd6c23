//! IAM's quotas, at AWS's default values. Sizes are characters without white space.

use crate::IamService;
use crate::errors::{Failure, over_quota};
use crate::retry::retrying;
use identifiers::AccountId;
use resources::Stored;
use resources::iam::{Creations, rows_of};
use store::{Batch, Page};

pub(crate) const USERS: usize = 5_000;
pub(crate) const GROUPS: usize = 300;
pub(crate) const ROLES: usize = 1_000;
pub(crate) const INSTANCE_PROFILES: usize = 1_000;
pub(crate) const POLICIES: usize = 1_500;
pub(crate) const OIDC_PROVIDERS: usize = 100;
pub(crate) const SERVER_CERTIFICATES: usize = 20;
pub(crate) const MFA_DEVICES: usize = 5_000;
pub(crate) const MFA_DEVICES_PER_USER: usize = 8;
pub(crate) const GROUPS_PER_USER: usize = 10;
pub(crate) const ACCESS_KEYS_PER_USER: usize = 2;
pub(crate) const SIGNING_CERTIFICATES_PER_USER: usize = 2;
pub(crate) const SSH_KEYS_PER_USER: usize = 5;
pub(crate) const ATTACHED_POLICIES: usize = 10;
pub(crate) const VERSIONS_PER_POLICY: usize = 5;
pub(crate) const POLICY_VERSIONS_IN_USE: usize = 10_000;
pub(crate) const POLICY_SIZE: usize = 6_144;
pub(crate) const USER_POLICY_SIZE: usize = 2_048;
pub(crate) const GROUP_POLICY_SIZE: usize = 5_120;
pub(crate) const ROLE_POLICY_SIZE: usize = 10_240;
pub(crate) const TRUST_POLICY_SIZE: usize = 2_048;
pub(crate) const TAGS: usize = 50;
pub(crate) const CLIENT_IDS_PER_OIDC_PROVIDER: usize = 100;
pub(crate) const THUMBPRINTS_PER_OIDC_PROVIDER: usize = 5;

/// A quota of an account: its name and how many there may be.
pub(crate) type Quota = (&'static str, usize);

impl IamService {
    /// Adds to the transaction that makes something what lets only one of several go through that counted the same.
    /// What is there must be counted after this.
    pub(crate) async fn one_at_a_time(
        &self,
        batch: Batch,
        account: &AccountId,
        what: &str,
    ) -> Result<Batch, Failure> {
        let Some(old) = self.tables.get::<Creations>(&Creations::key_of(account, what)).await? else {
            let first = Creations { account: account.clone(), what: what.to_owned(), number: 1 };
            return Ok(batch.create(&first));
        };
        let next = Creations { number: old.number + 1, ..Creations::clone(&old) };
        Ok(batch.replace(&old, &next))
    }

    /// Refuses a further row of a table when an account has as many as it may, in the transaction that makes the row.
    pub(crate) async fn room_for<T: Stored>(
        &self,
        batch: Batch,
        account: &AccountId,
        (name, quota): Quota,
    ) -> Result<Batch, Failure> {
        let batch = self.one_at_a_time(batch, account, T::TABLE).await?;
        let page = Page { after: None, limit: quota };
        let listing = self.tables.list::<T>(&rows_of(account), page).await?;
        if listing.items.len() < quota { Ok(batch) } else { Err(over_quota(name, quota)) }
    }

    /// Makes a row if there is room for it; whether its key was free.
    pub(crate) async fn create_counted<T: Stored>(
        &self,
        account: &AccountId,
        row: &T,
        quota: Quota,
    ) -> Result<bool, Failure> {
        retrying!(self.try_create_counted(account, row, quota))
    }

    async fn try_create_counted<T: Stored>(
        &self,
        account: &AccountId,
        row: &T,
        quota: Quota,
    ) -> Result<bool, Failure> {
        let batch = self.room_for::<T>(self.tables.batch().create(row), account, quota).await?;
        if self.tables.get::<T>(&row.key()).await?.is_some() {
            return Ok(false);
        }
        batch.commit().await?;
        Ok(true)
    }
}
