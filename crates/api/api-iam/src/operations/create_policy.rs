//! CreatePolicy.

use crate::documents::{check_managed, size};
use crate::entities::now;
use crate::errors::{Failure, already_exists, over_quota};
use crate::shapes::{CreatePolicyRequest, CreatePolicyResponse, Policy};
use crate::{IamService, ids, quotas, render, tags};
use aws_wire::RequestContext;
use resources::iam::{ManagedPolicy, PolicyVersion};

pub(crate) async fn run(
    service: &IamService,
    context: &RequestContext,
    input: CreatePolicyRequest,
) -> Result<CreatePolicyResponse, Failure> {
    check(&input.policy_document)?;
    let created_at = now(context);
    let policy = ManagedPolicy {
        account: context.account.clone(),
        name: input.policy_name.clone(),
        path: input.path.unwrap_or_else(|| "/".to_owned()),
        id: ids::unique(service.environment(), "ANPA"),
        description: input.description,
        versions: vec![PolicyVersion { number: 1, document: input.policy_document, created_at }],
        default_version: 1,
        next_version: 2,
        tags: tags::new(input.tags)?,
        created_at,
        updated_at: created_at,
    };
    let quota = ("PoliciesPerAccount", quotas::POLICIES);
    if !service.create_counted(&context.account, &policy, quota).await? {
        return Err(already_exists(format_args!(
            "A policy called {} already exists. Duplicate names are not allowed.",
            input.policy_name
        )));
    }
    let shown = Policy { tags: tags::shown_if_any(&policy.tags), ..render::policy_in_list(&policy, None) };
    Ok(CreatePolicyResponse { policy: Some(shown) })
}

/// Checks the document of a managed policy.
pub(super) fn check(document: &str) -> Result<(), Failure> {
    check_managed(document)?;
    if size(document) > quotas::POLICY_SIZE {
        return Err(over_quota("PolicySize", quotas::POLICY_SIZE));
    }
    Ok(())
}
