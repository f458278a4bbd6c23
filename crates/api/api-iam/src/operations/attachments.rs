//! AttachUserPolicy, DetachUserPolicy, ListAttachedUserPolicies, and the same of groups and roles.

use crate::entities::Principal;
use crate::errors::{Failure, no_such_entity, over_quota};
use crate::paging::{Paging, Part};
use crate::retry::retrying;
use crate::shapes::{
    AttachGroupPolicyRequest, AttachRolePolicyRequest, AttachUserPolicyRequest, AttachedPolicy,
    DetachGroupPolicyRequest, DetachRolePolicyRequest, DetachUserPolicyRequest,
    ListAttachedGroupPoliciesRequest, ListAttachedGroupPoliciesResponse, ListAttachedRolePoliciesRequest,
    ListAttachedRolePoliciesResponse, ListAttachedUserPoliciesRequest, ListAttachedUserPoliciesResponse,
};
use crate::uses::{Usage, acquire, release};
use crate::{IamService, quotas, render};
use aws_wire::RequestContext;
use resources::iam::{Group, Role, User};

pub(crate) async fn attach_user_policy(
    service: &IamService,
    context: &RequestContext,
    input: AttachUserPolicyRequest,
) -> Result<(), Failure> {
    retrying!(attach::<User>(service, context, &input.user_name, &input.policy_arn))
}

pub(crate) async fn attach_group_policy(
    service: &IamService,
    context: &RequestContext,
    input: AttachGroupPolicyRequest,
) -> Result<(), Failure> {
    retrying!(attach::<Group>(service, context, &input.group_name, &input.policy_arn))
}

pub(crate) async fn attach_role_policy(
    service: &IamService,
    context: &RequestContext,
    input: AttachRolePolicyRequest,
) -> Result<(), Failure> {
    retrying!(attach::<Role>(service, context, &input.role_name, &input.policy_arn))
}

pub(crate) async fn detach_user_policy(
    service: &IamService,
    context: &RequestContext,
    input: DetachUserPolicyRequest,
) -> Result<(), Failure> {
    retrying!(detach::<User>(service, context, &input.user_name, &input.policy_arn))
}

pub(crate) async fn detach_group_policy(
    service: &IamService,
    context: &RequestContext,
    input: DetachGroupPolicyRequest,
) -> Result<(), Failure> {
    retrying!(detach::<Group>(service, context, &input.group_name, &input.policy_arn))
}

pub(crate) async fn detach_role_policy(
    service: &IamService,
    context: &RequestContext,
    input: DetachRolePolicyRequest,
) -> Result<(), Failure> {
    retrying!(detach::<Role>(service, context, &input.role_name, &input.policy_arn))
}

pub(crate) async fn list_attached_user_policies(
    service: &IamService,
    context: &RequestContext,
    input: ListAttachedUserPoliciesRequest,
) -> Result<ListAttachedUserPoliciesResponse, Failure> {
    let paging = Paging::new(input.marker.as_deref(), input.max_items)?;
    let part = attached::<User>(service, context, &input.user_name, input.path_prefix, &paging).await?;
    Ok(ListAttachedUserPoliciesResponse {
        attached_policies: Some(part.items),
        is_truncated: part.is_truncated,
        marker: part.marker,
    })
}

pub(crate) async fn list_attached_group_policies(
    service: &IamService,
    context: &RequestContext,
    input: ListAttachedGroupPoliciesRequest,
) -> Result<ListAttachedGroupPoliciesResponse, Failure> {
    let paging = Paging::new(input.marker.as_deref(), input.max_items)?;
    let part = attached::<Group>(service, context, &input.group_name, input.path_prefix, &paging).await?;
    Ok(ListAttachedGroupPoliciesResponse {
        attached_policies: Some(part.items),
        is_truncated: part.is_truncated,
        marker: part.marker,
    })
}

pub(crate) async fn list_attached_role_policies(
    service: &IamService,
    context: &RequestContext,
    input: ListAttachedRolePoliciesRequest,
) -> Result<ListAttachedRolePoliciesResponse, Failure> {
    let paging = Paging::new(input.marker.as_deref(), input.max_items)?;
    let part = attached::<Role>(service, context, &input.role_name, input.path_prefix, &paging).await?;
    Ok(ListAttachedRolePoliciesResponse {
        attached_policies: Some(part.items),
        is_truncated: part.is_truncated,
        marker: part.marker,
    })
}

async fn attach<T: Principal>(
    service: &IamService,
    context: &RequestContext,
    name: &str,
    arn: &str,
) -> Result<(), Failure> {
    let old = service.find::<T>(context, name).await?;
    old.modifiable()?;
    if old.policies().attached.iter().any(|attached| attached == arn) {
        return Ok(());
    }
    let mut new = T::clone(&old);
    new.policies_mut().attached.push(arn.to_owned());
    let batch = service.tables.batch().replace(&old, &new);
    let batch = acquire(service, batch, &context.account, arn, Usage::Attachment).await?;
    if old.policies().attached.len() >= quotas::ATTACHED_POLICIES {
        return Err(over_quota(&format!("PoliciesPer{}", T::QUOTA_KIND), quotas::ATTACHED_POLICIES));
    }
    batch.commit().await?;
    Ok(())
}

async fn detach<T: Principal>(
    service: &IamService,
    context: &RequestContext,
    name: &str,
    arn: &str,
) -> Result<(), Failure> {
    let old = service.find::<T>(context, name).await?;
    old.modifiable()?;
    if !old.policies().attached.iter().any(|attached| attached == arn) {
        return Err(no_such_entity(format_args!("Policy {arn} was not found.")));
    }
    let mut new = T::clone(&old);
    new.policies_mut().attached.retain(|attached| attached != arn);
    let batch = service.tables.batch().replace(&old, &new);
    release(service, batch, &context.account, arn, Usage::Attachment).await?.commit().await?;
    Ok(())
}

async fn attached<T: Principal>(
    service: &IamService,
    context: &RequestContext,
    name: &str,
    path_prefix: Option<String>,
    paging: &Paging,
) -> Result<Part<AttachedPolicy>, Failure> {
    let entity = service.find::<T>(context, name).await?;
    let prefix = path_prefix.unwrap_or_default();
    let arns = entity.policies().attached.iter().filter(|arn| path_of(arn).starts_with(&prefix));
    Ok(paging.cut_in_order(arns.map(|arn| render::attached(arn)).collect()))
}

/// The path of a policy, read from its ARN: what lies between `policy` and the name.
fn path_of(arn: &str) -> &str {
    let path = arn.split_once(":policy").map_or("/", |(_, rest)| rest);
    path.rfind('/').map_or("/", |end| &path[..=end])
}

#[cfg(test)]
mod tests {
    use super::path_of;

    #[test]
    fn paths_are_read_from_arns() {
        assert_eq!(path_of("arn:aws:iam::123456789012:policy/a"), "/");
        assert_eq!(path_of("arn:aws:iam::aws:policy/service-role/x/A"), "/service-role/x/");
        assert_eq!(path_of("nonsense"), "/");
    }
}
