//! CreatePolicyVersion, GetPolicyVersion, ListPolicyVersions, SetDefaultPolicyVersion and DeletePolicyVersion.

use super::create_policy::check;
use super::get_policy::not_found;
use crate::entities::now;
use crate::errors::{Failure, delete_conflict, limit_exceeded, no_such_entity, validation};
use crate::paging::Paging;
use crate::shapes::{
    CreatePolicyVersionRequest, CreatePolicyVersionResponse, DeletePolicyVersionRequest,
    GetPolicyVersionRequest, GetPolicyVersionResponse, ListPolicyVersionsRequest, ListPolicyVersionsResponse,
    PolicyVersion as ShownVersion, SetDefaultPolicyVersionRequest,
};
use crate::{IamService, quotas, render};
use aws_wire::RequestContext;
use resources::iam::{ManagedPolicy, PolicyVersion, key_of, name_of};

pub(crate) async fn create_policy_version(
    service: &IamService,
    context: &RequestContext,
    input: CreatePolicyVersionRequest,
) -> Result<CreatePolicyVersionResponse, Failure> {
    let created_at = now(context);
    let change = |policy: &mut ManagedPolicy| {
        check(&input.policy_document)?;
        if policy.versions.len() >= quotas::VERSIONS_PER_POLICY {
            return Err(limit_exceeded(format_args!(
                "A managed policy can have up to {} versions. Before you create a new version, you must delete an \
                 existing version.",
                quotas::VERSIONS_PER_POLICY
            )));
        }
        let number = policy.next_version;
        policy.versions.push(PolicyVersion { number, document: input.policy_document.clone(), created_at });
        policy.next_version += 1;
        policy.updated_at = created_at;
        if input.set_as_default == Some(true) {
            policy.default_version = number;
        }
        Ok(())
    };
    let policy = update(service, context, &input.policy_arn, change).await?;
    let made = policy.versions.last().map(|version| render::version(version, policy.default_version, false));
    Ok(CreatePolicyVersionResponse { policy_version: made })
}

pub(crate) async fn get_policy_version(
    service: &IamService,
    context: &RequestContext,
    input: GetPolicyVersionRequest,
) -> Result<GetPolicyVersionResponse, Failure> {
    let arn = &input.policy_arn;
    let id = &input.version_id;
    let missing =
        || no_such_entity(format_args!("Policy {arn} version {id} does not exist or is not attachable."));
    let shown = if let Some(policy) = service.customer_policy(&context.account, arn).await? {
        let version = number_of(id).and_then(|number| policy.version(number)).ok_or_else(missing)?;
        render::version(version, policy.default_version, true)
    } else {
        let policy = aws_managed_policies::find(arn).ok_or_else(|| not_found(arn))?;
        if number_of(id) != Some(policy.version) {
            return Err(missing());
        }
        render::aws_version(policy, true)
    };
    Ok(GetPolicyVersionResponse { policy_version: Some(shown) })
}

/// Newest first and without documents, as AWS lists them.
pub(crate) async fn list_policy_versions(
    service: &IamService,
    context: &RequestContext,
    input: ListPolicyVersionsRequest,
) -> Result<ListPolicyVersionsResponse, Failure> {
    let paging = Paging::new(input.marker.as_deref(), input.max_items)?;
    let arn = &input.policy_arn;
    let versions: Vec<ShownVersion> =
        if let Some(policy) = service.customer_policy(&context.account, arn).await? {
            let newest_first = policy.versions.iter().rev();
            newest_first.map(|version| render::version(version, policy.default_version, false)).collect()
        } else {
            let policy = aws_managed_policies::find(arn).ok_or_else(|| not_found(arn))?;
            vec![render::aws_version(policy, false)]
        };
    let part = paging.cut_in_order(versions);
    Ok(ListPolicyVersionsResponse {
        versions: Some(part.items),
        is_truncated: part.is_truncated,
        marker: part.marker,
    })
}

pub(crate) async fn set_default_policy_version(
    service: &IamService,
    context: &RequestContext,
    input: SetDefaultPolicyVersionRequest,
) -> Result<(), Failure> {
    let updated_at = now(context);
    let change = |policy: &mut ManagedPolicy| {
        policy.default_version = existing(policy, &input.version_id)?;
        policy.updated_at = updated_at;
        Ok(())
    };
    update(service, context, &input.policy_arn, change).await.map(|_| ())
}

pub(crate) async fn delete_policy_version(
    service: &IamService,
    context: &RequestContext,
    input: DeletePolicyVersionRequest,
) -> Result<(), Failure> {
    let change = |policy: &mut ManagedPolicy| {
        let number = existing(policy, &input.version_id)?;
        if number == policy.default_version {
            return Err(delete_conflict("Cannot delete the default version of a policy."));
        }
        policy.versions.retain(|version| version.number != number);
        Ok(())
    };
    update(service, context, &input.policy_arn, change).await.map(|_| ())
}

/// Changes a customer's managed policy; those of AWS are refused.
pub(super) async fn update(
    service: &IamService,
    context: &RequestContext,
    arn: &str,
    change: impl Fn(&mut ManagedPolicy) -> Result<(), Failure>,
) -> Result<store::Versioned<ManagedPolicy>, Failure> {
    refuse_aws(arn)?;
    let name = name_of(arn, &context.account, "policy").ok_or_else(|| not_found(arn))?;
    let change = |policy: &ManagedPolicy| {
        if policy.arn() != arn {
            return Err(not_found(arn));
        }
        let mut new = policy.clone();
        change(&mut new)?;
        Ok(Some(new))
    };
    let updated = service.tables.update(&key_of(&context.account, name), change).await?;
    updated.ok_or_else(|| not_found(arn))
}

/// AWS's own policies cannot be changed by anybody here.
pub(super) fn refuse_aws(arn: &str) -> Result<(), Failure> {
    if arn.starts_with(aws_managed_policies::ARN_PREFIX) {
        return Err(validation(format_args!("Policy {arn} is an AWS managed policy and cannot be changed.")));
    }
    Ok(())
}

fn existing(policy: &ManagedPolicy, id: &str) -> Result<u32, Failure> {
    let found = number_of(id).and_then(|number| policy.version(number));
    found.map(|version| version.number).ok_or_else(|| {
        no_such_entity(format_args!(
            "Policy {} version {id} does not exist or is not attachable.",
            policy.arn()
        ))
    })
}

fn number_of(id: &str) -> Option<u32> {
    id.strip_prefix('v')?.parse().ok()
}
