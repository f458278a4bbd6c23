//! GetPolicy.

use crate::errors::{Failure, no_such_entity};
use crate::shapes::{GetPolicyRequest, GetPolicyResponse};
use crate::{IamService, render};
use aws_wire::RequestContext;
use resources::iam::PolicyUse;

pub(crate) async fn run(
    service: &IamService,
    context: &RequestContext,
    input: GetPolicyRequest,
) -> Result<GetPolicyResponse, Failure> {
    let arn = &input.policy_arn;
    let used = service.tables.get::<PolicyUse>(&PolicyUse::key_of(&context.account, arn)).await?;
    let policy = match service.customer_policy(&context.account, arn).await? {
        Some(policy) => render::policy(&policy, used.as_deref()),
        None => match aws_managed_policies::find(arn) {
            Some(policy) => crate::shapes::Policy {
                tags: Some(Vec::new()),
                ..render::aws_policy(policy, used.as_deref())
            },
            None => return Err(not_found(arn)),
        },
    };
    Ok(GetPolicyResponse { policy: Some(policy) })
}

/// There is no managed policy of this ARN.
pub(super) fn not_found(arn: &str) -> Failure {
    no_such_entity(format_args!("Policy {arn} was not found."))
}
