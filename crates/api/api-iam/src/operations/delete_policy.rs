//! DeletePolicy: only one that nobody uses, and that has no versions but the default.

use super::get_policy::not_found;
use super::policy_versions::refuse_aws;
use crate::IamService;
use crate::errors::{Failure, delete_conflict};
use crate::retry::retrying;
use crate::shapes::DeletePolicyRequest;
use aws_wire::RequestContext;
use resources::iam::PolicyUse;

pub(crate) async fn run(
    service: &IamService,
    context: &RequestContext,
    input: DeletePolicyRequest,
) -> Result<(), Failure> {
    retrying!(delete(service, context, &input.policy_arn))
}

async fn delete(service: &IamService, context: &RequestContext, arn: &str) -> Result<(), Failure> {
    refuse_aws(arn)?;
    let policy = service.customer_policy(&context.account, arn).await?.ok_or_else(|| not_found(arn))?;
    let key = PolicyUse::key_of(&context.account, arn);
    if service.tables.get::<PolicyUse>(&key).await?.is_some() {
        return Err(delete_conflict("Cannot delete a policy attached to entities."));
    }
    if policy.versions.len() > 1 {
        return Err(delete_conflict(
            "This policy has more than one version. Before you delete a policy, you must delete the policy's \
             versions. The default version is deleted with the policy.",
        ));
    }
    service.tables.batch().delete(&policy).require_absent::<PolicyUse>(&key).commit().await?;
    Ok(())
}
