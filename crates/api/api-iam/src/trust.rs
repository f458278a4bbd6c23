//! Trust policies: whom they name is kept by unique id and shown by ARN.

use crate::IamService;
use crate::documents::size;
use crate::errors::{Failure, over_quota};
use crate::quotas;
use access::{bind_trust_policy, show_principals};
use aws_wire::RequestContext;
use resources::iam::Role;

impl IamService {
    /// Checks the trust policy of a role: its form, its size, and whom it names. Returns it as it is kept.
    pub(crate) async fn bound_trust(
        &self,
        context: &RequestContext,
        document: &str,
    ) -> Result<String, Failure> {
        let bound = bind_trust_policy(&self.tables, &context.account, document).await?;
        if size(document) > quotas::TRUST_POLICY_SIZE {
            return Err(over_quota("ACLSizePerRole", quotas::TRUST_POLICY_SIZE));
        }
        Ok(bound)
    }

    /// A role with its trust policy as readers see it.
    pub(crate) async fn with_trust_shown(&self, role: &Role) -> Result<Role, Failure> {
        let trust_policy = show_principals(&self.tables, &role.trust_policy).await?;
        Ok(Role { trust_policy, ..role.clone() })
    }
}
