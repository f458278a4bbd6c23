//! GetAccountAuthorizationDetails: everybody and everything that policies are about, in one paged list.

use super::get_instance_profile::shown as instance_profile;
use crate::documents::encoded;
use crate::errors::Failure;
use crate::paging::Paging;
use crate::shapes::{
    EntityType, GetAccountAuthorizationDetailsRequest, GetAccountAuthorizationDetailsResponse, GroupDetail,
    ManagedPolicyDetail, PolicyDetail, RoleDetail, UserDetail,
};
use crate::{IamService, render, tags};
use aws_managed_policies::AwsManagedPolicy;
use aws_wire::RequestContext;
use resources::Stored;
use resources::iam::{
    Group, InstanceProfile, ManagedPolicy, PolicyUse, PrincipalPolicies, Role, RoleUse, User, key_of, rows_of,
};
use std::collections::HashMap;
use store::Versioned;

/// One entry of the list, before it is known whether it is on the part asked for.
enum Entry {
    User(Versioned<User>),
    Group(Versioned<Group>),
    Role(Versioned<Role>),
    Customer(Versioned<ManagedPolicy>),
    Aws(&'static AwsManagedPolicy),
}

type Uses = HashMap<String, Versioned<PolicyUse>>;

pub(crate) async fn run(
    service: &IamService,
    context: &RequestContext,
    input: GetAccountAuthorizationDetailsRequest,
) -> Result<GetAccountAuthorizationDetailsResponse, Failure> {
    let paging = Paging::new(input.marker.as_deref(), input.max_items)?;
    let filter = input.filter.unwrap_or_default();
    let uses = service.policy_uses(&context.account).await?;
    let entries = entries(service, context, &filter, &uses).await?;
    let part = paging.cut(entries, Entry::order);
    let (mut users, mut groups, mut roles, mut policies) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for entry in part.items {
        match entry {
            Entry::User(user) => users.push(user_detail(&user)),
            Entry::Group(group) => groups.push(group_detail(&group)),
            Entry::Role(role) => roles.push(role_detail(service, context, &role).await?),
            Entry::Customer(policy) => policies.push(customer_detail(&policy, uses.get(&policy.arn()))),
            Entry::Aws(policy) => policies.push(aws_detail(policy, uses.get(&policy.arn()))),
        }
    }
    Ok(GetAccountAuthorizationDetailsResponse {
        user_detail_list: Some(users),
        group_detail_list: Some(groups),
        role_detail_list: Some(roles),
        policies: Some(policies),
        is_truncated: part.is_truncated,
        marker: part.marker,
    })
}

/// Policies of AWS are listed as far as they are in use, as AWS lists them.
async fn entries(
    service: &IamService,
    context: &RequestContext,
    filter: &[EntityType],
    uses: &Uses,
) -> Result<Vec<Entry>, Failure> {
    let wanted = |kind: EntityType| filter.is_empty() || filter.contains(&kind);
    let rows = rows_of(&context.account);
    let mut all = Vec::new();
    if wanted(EntityType::User) {
        all.extend(service.tables.list_all(&rows).await?.into_iter().map(Entry::User));
    }
    if wanted(EntityType::Group) {
        all.extend(service.tables.list_all(&rows).await?.into_iter().map(Entry::Group));
    }
    if wanted(EntityType::Role) {
        all.extend(service.tables.list_all(&rows).await?.into_iter().map(Entry::Role));
    }
    if wanted(EntityType::LocalManagedPolicy) {
        all.extend(service.tables.list_all(&rows).await?.into_iter().map(Entry::Customer));
    }
    if wanted(EntityType::AWSManagedPolicy) {
        let used = uses.keys().filter_map(|arn| aws_managed_policies::find(arn));
        all.extend(used.map(Entry::Aws));
    }
    all.sort_by_key(Entry::order);
    Ok(all)
}

impl Entry {
    /// Kind by kind, each in the order of names.
    fn order(&self) -> String {
        match self {
            Self::User(user) => format!("0{}", user.key()),
            Self::Group(group) => format!("1{}", group.key()),
            Self::Role(role) => format!("2{}", role.key()),
            Self::Customer(policy) => format!("3{}", policy.key()),
            Self::Aws(policy) => format!("4{}", policy.name.to_lowercase()),
        }
    }
}

fn user_detail(user: &User) -> UserDetail {
    UserDetail {
        arn: Some(user.arn()),
        attached_managed_policies: Some(attached(&user.policies)),
        create_date: Some(user.created_at),
        group_list: Some(user.groups.clone()),
        path: Some(user.path.clone()),
        permissions_boundary: render::boundary(user.boundary.as_deref()),
        tags: Some(tags::shown(&user.tags)),
        user_id: Some(user.id.clone()),
        user_name: Some(user.name.clone()),
        user_policy_list: Some(inline(&user.policies)),
    }
}

fn group_detail(group: &Group) -> GroupDetail {
    GroupDetail {
        arn: Some(group.arn()),
        attached_managed_policies: Some(attached(&group.policies)),
        create_date: Some(group.created_at),
        group_id: Some(group.id.clone()),
        group_name: Some(group.name.clone()),
        group_policy_list: Some(inline(&group.policies)),
        path: Some(group.path.clone()),
    }
}

async fn role_detail(
    service: &IamService,
    context: &RequestContext,
    role: &Role,
) -> Result<RoleDetail, Failure> {
    let keys: Vec<_> = role.instance_profiles.iter().map(|name| key_of(&context.account, name)).collect();
    let mut profiles = Vec::new();
    for profile in service.tables.get_many::<InstanceProfile>(&keys).await?.into_iter().flatten() {
        profiles.push(instance_profile(service, &profile).await?);
    }
    let used = service.tables.get::<RoleUse>(&RoleUse::key_of(&context.account, &role.id)).await?;
    let role = service.with_trust_shown(role).await?;
    Ok(RoleDetail {
        arn: Some(role.arn()),
        assume_role_policy_document: Some(encoded(&role.trust_policy)),
        attached_managed_policies: Some(attached(&role.policies)),
        create_date: Some(role.created_at),
        instance_profile_list: Some(profiles),
        path: Some(role.path.clone()),
        permissions_boundary: render::boundary(role.boundary.as_deref()),
        role_id: Some(role.id.clone()),
        role_last_used: Some(render::role_use(used.as_deref())),
        role_name: Some(role.name.clone()),
        role_policy_list: Some(inline(&role.policies)),
        tags: Some(tags::shown(&role.tags)),
    })
}

fn customer_detail(policy: &ManagedPolicy, used: Option<&Versioned<PolicyUse>>) -> ManagedPolicyDetail {
    let newest_first = policy.versions.iter().rev();
    let versions = newest_first.map(|version| render::version(version, policy.default_version, true));
    detail(render::policy(policy, used.map(|used| &**used)), versions.collect())
}

fn aws_detail(policy: &AwsManagedPolicy, used: Option<&Versioned<PolicyUse>>) -> ManagedPolicyDetail {
    let shown = render::aws_policy(policy, used.map(|used| &**used));
    detail(shown, vec![render::aws_version(policy, true)])
}

fn detail(policy: crate::shapes::Policy, versions: Vec<crate::shapes::PolicyVersion>) -> ManagedPolicyDetail {
    ManagedPolicyDetail {
        arn: policy.arn,
        attachment_count: policy.attachment_count,
        create_date: policy.create_date,
        default_version_id: policy.default_version_id,
        description: policy.description,
        is_attachable: policy.is_attachable,
        path: policy.path,
        permissions_boundary_usage_count: policy.permissions_boundary_usage_count,
        policy_id: policy.policy_id,
        policy_name: policy.policy_name,
        policy_version_list: Some(versions),
        update_date: policy.update_date,
    }
}

fn attached(policies: &PrincipalPolicies) -> Vec<crate::shapes::AttachedPolicy> {
    policies.attached.iter().map(|arn| render::attached(arn)).collect()
}

fn inline(policies: &PrincipalPolicies) -> Vec<PolicyDetail> {
    let detail = |(name, document): (&String, &String)| PolicyDetail {
        policy_document: Some(encoded(document)),
        policy_name: Some(name.clone()),
    };
    policies.inline.iter().map(detail).collect()
}
