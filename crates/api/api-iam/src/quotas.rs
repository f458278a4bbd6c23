//! IAM's quotas, at AWS's default values. Sizes are characters without white space.

use crate::IamService;
use crate::errors::{Failure, over_quota};
use identifiers::AccountId;
use resources::Stored;
use resources::iam::rows_of;
use store::Page;

pub(crate) const USERS: usize = 5_000;
pub(crate) const GROUPS: usize = 300;
pub(crate) const ROLES: usize = 1_000;
pub(crate) const INSTANCE_PROFILES: usize = 1_000;
pub(crate) const POLICIES: usize = 1_500;
pub(crate) const OIDC_PROVIDERS: usize = 100;
pub(crate) const SERVER_CERTIFICATES: usize = 20;
pub(crate) const GROUPS_PER_USER: usize = 10;
pub(crate) const ACCESS_KEYS_PER_USER: usize = 2;
pub(crate) const SIGNING_CERTIFICATES_PER_USER: usize = 2;
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

impl IamService {
    /// Refuses a further row of a table when an account has `quota` of them.
    pub(crate) async fn room_for<T: Stored>(
        &self,
        account: &AccountId,
        name: &str,
        quota: usize,
    ) -> Result<(), Failure> {
        let page = Page { after: None, limit: quota };
        let listing = self.tables.list::<T>(&rows_of(account), page).await?;
        if listing.items.len() < quota { Ok(()) } else { Err(over_quota(name, quota)) }
    }
}
