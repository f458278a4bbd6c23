//! PutUserPolicy, GetUserPolicy, DeleteUserPolicy, ListUserPolicies, and the same of groups and roles.

use crate::IamService;
use crate::documents::{check_identity, encoded, size};
use crate::entities::Principal;
use crate::errors::{Failure, limit_exceeded, no_such_entity};
use crate::paging::{Paging, Part};
use crate::shapes::{
    DeleteGroupPolicyRequest, DeleteRolePolicyRequest, DeleteUserPolicyRequest, GetGroupPolicyRequest,
    GetGroupPolicyResponse, GetRolePolicyRequest, GetRolePolicyResponse, GetUserPolicyRequest,
    GetUserPolicyResponse, ListGroupPoliciesRequest, ListGroupPoliciesResponse, ListRolePoliciesRequest,
    ListRolePoliciesResponse, ListUserPoliciesRequest, ListUserPoliciesResponse, PutGroupPolicyRequest,
    PutRolePolicyRequest, PutUserPolicyRequest,
};
use aws_wire::RequestContext;
use resources::iam::{Group, Role, User, key_of};

pub(crate) async fn put_user_policy(
    service: &IamService,
    context: &RequestContext,
    input: PutUserPolicyRequest,
) -> Result<(), Failure> {
    put::<User>(service, context, &input.user_name, &input.policy_name, &input.policy_document).await
}

pub(crate) async fn put_group_policy(
    service: &IamService,
    context: &RequestContext,
    input: PutGroupPolicyRequest,
) -> Result<(), Failure> {
    put::<Group>(service, context, &input.group_name, &input.policy_name, &input.policy_document).await
}

pub(crate) async fn put_role_policy(
    service: &IamService,
    context: &RequestContext,
    input: PutRolePolicyRequest,
) -> Result<(), Failure> {
    put::<Role>(service, context, &input.role_name, &input.policy_name, &input.policy_document).await
}

pub(crate) async fn get_user_policy(
    service: &IamService,
    context: &RequestContext,
    input: GetUserPolicyRequest,
) -> Result<GetUserPolicyResponse, Failure> {
    let policy_document = get::<User>(service, context, &input.user_name, &input.policy_name).await?;
    Ok(GetUserPolicyResponse { policy_document, policy_name: input.policy_name, user_name: input.user_name })
}

pub(crate) async fn get_group_policy(
    service: &IamService,
    context: &RequestContext,
    input: GetGroupPolicyRequest,
) -> Result<GetGroupPolicyResponse, Failure> {
    let policy_document = get::<Group>(service, context, &input.group_name, &input.policy_name).await?;
    Ok(GetGroupPolicyResponse {
        policy_document,
        policy_name: input.policy_name,
        group_name: input.group_name,
    })
}

pub(crate) async fn get_role_policy(
    service: &IamService,
    context: &RequestContext,
    input: GetRolePolicyRequest,
) -> Result<GetRolePolicyResponse, Failure> {
    let policy_document = get::<Role>(service, context, &input.role_name, &input.policy_name).await?;
    Ok(GetRolePolicyResponse { policy_document, policy_name: input.policy_name, role_name: input.role_name })
}

pub(crate) async fn delete_user_policy(
    service: &IamService,
    context: &RequestContext,
    input: DeleteUserPolicyRequest,
) -> Result<(), Failure> {
    delete::<User>(service, context, &input.user_name, &input.policy_name).await
}

pub(crate) async fn delete_group_policy(
    service: &IamService,
    context: &RequestContext,
    input: DeleteGroupPolicyRequest,
) -> Result<(), Failure> {
    delete::<Group>(service, context, &input.group_name, &input.policy_name).await
}

pub(crate) async fn delete_role_policy(
    service: &IamService,
    context: &RequestContext,
    input: DeleteRolePolicyRequest,
) -> Result<(), Failure> {
    delete::<Role>(service, context, &input.role_name, &input.policy_name).await
}

pub(crate) async fn list_user_policies(
    service: &IamService,
    context: &RequestContext,
    input: ListUserPoliciesRequest,
) -> Result<ListUserPoliciesResponse, Failure> {
    let paging = Paging::new(input.marker.as_deref(), input.max_items)?;
    let part = names::<User>(service, context, &input.user_name, &paging).await?;
    Ok(ListUserPoliciesResponse {
        policy_names: part.items,
        is_truncated: part.is_truncated,
        marker: part.marker,
    })
}

pub(crate) async fn list_group_policies(
    service: &IamService,
    context: &RequestContext,
    input: ListGroupPoliciesRequest,
) -> Result<ListGroupPoliciesResponse, Failure> {
    let paging = Paging::new(input.marker.as_deref(), input.max_items)?;
    let part = names::<Group>(service, context, &input.group_name, &paging).await?;
    Ok(ListGroupPoliciesResponse {
        policy_names: part.items,
        is_truncated: part.is_truncated,
        marker: part.marker,
    })
}

pub(crate) async fn list_role_policies(
    service: &IamService,
    context: &RequestContext,
    input: ListRolePoliciesRequest,
) -> Result<ListRolePoliciesResponse, Failure> {
    let paging = Paging::new(input.marker.as_deref(), input.max_items)?;
    let part = names::<Role>(service, context, &input.role_name, &paging).await?;
    Ok(ListRolePoliciesResponse {
        policy_names: part.items,
        is_truncated: part.is_truncated,
        marker: part.marker,
    })
}

async fn put<T: Principal>(
    service: &IamService,
    context: &RequestContext,
    name: &str,
    policy: &str,
    document: &str,
) -> Result<(), Failure> {
    check_identity(document)?;
    let change = |old: &T| {
        old.modifiable()?;
        let mut new = old.clone();
        new.policies_mut().inline.insert(policy.to_owned(), document.to_owned());
        let total: usize = new.policies().inline.values().map(|document| size(document)).sum();
        if total > T::INLINE_SIZE {
            return Err(limit_exceeded(format_args!(
                "Maximum policy size of {} bytes exceeded for {} {}",
                T::INLINE_SIZE,
                T::KIND,
                old.name()
            )));
        }
        Ok(Some(new))
    };
    let updated = service.tables.update(&key_of(&context.account, name), change).await?;
    updated.map(|_| ()).ok_or_else(|| T::not_found(name))
}

async fn get<T: Principal>(
    service: &IamService,
    context: &RequestContext,
    name: &str,
    policy: &str,
) -> Result<String, Failure> {
    let entity = service.find::<T>(context, name).await?;
    let document = entity.policies().inline.get(policy).ok_or_else(|| no_policy::<T>(policy))?;
    Ok(encoded(document))
}

async fn delete<T: Principal>(
    service: &IamService,
    context: &RequestContext,
    name: &str,
    policy: &str,
) -> Result<(), Failure> {
    let change = |old: &T| {
        old.modifiable()?;
        let mut new = old.clone();
        new.policies_mut().inline.remove(policy).ok_or_else(|| no_policy::<T>(policy))?;
        Ok::<_, Failure>(Some(new))
    };
    let updated = service.tables.update(&key_of(&context.account, name), change).await?;
    updated.map(|_| ()).ok_or_else(|| T::not_found(name))
}

async fn names<T: Principal>(
    service: &IamService,
    context: &RequestContext,
    name: &str,
    paging: &Paging,
) -> Result<Part<String>, Failure> {
    let entity = service.find::<T>(context, name).await?;
    Ok(paging.cut(entity.policies().inline.keys().cloned(), Clone::clone))
}

fn no_policy<T: Principal>(policy: &str) -> Failure {
    no_such_entity(format_args!("The {} policy with name {policy} cannot be found.", T::KIND))
}
