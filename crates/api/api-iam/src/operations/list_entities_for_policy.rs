//! ListEntitiesForPolicy: who uses a managed policy.

use super::get_policy::not_found;
use crate::IamService;
use crate::entities::Principal;
use crate::errors::Failure;
use crate::paging::Paging;
use crate::shapes::{
    EntityType, ListEntitiesForPolicyRequest, ListEntitiesForPolicyResponse, PolicyGroup, PolicyRole,
    PolicyUsageType, PolicyUser,
};
use aws_wire::RequestContext;
use resources::Stored;
use resources::iam::{Group, Role, User, rows_of};

/// One that uses the policy.
enum Entity {
    User(PolicyUser),
    Group(PolicyGroup),
    Role(PolicyRole),
}

pub(crate) async fn run(
    service: &IamService,
    context: &RequestContext,
    input: ListEntitiesForPolicyRequest,
) -> Result<ListEntitiesForPolicyResponse, Failure> {
    let paging = Paging::new(input.marker.as_deref(), input.max_items)?;
    let arn = input.policy_arn.as_str();
    if service.customer_policy(&context.account, arn).await?.is_none()
        && aws_managed_policies::find(arn).is_none()
    {
        return Err(not_found(arn));
    }
    let prefix = input.path_prefix.unwrap_or_default();
    let uses = |attached: &[String], boundary: Option<&String>| {
        let attached = attached.iter().any(|policy| policy == arn);
        let bounds = boundary.is_some_and(|boundary| boundary == arn);
        match input.policy_usage_filter {
            None => attached || bounds,
            Some(PolicyUsageType::PermissionsPolicy) => attached,
            Some(PolicyUsageType::PermissionsBoundary) => bounds,
        }
    };
    // The filter names a kind of entity; the kinds that are policies filter nothing.
    let wanted = |kind: EntityType| match input.entity_filter {
        Some(EntityType::User | EntityType::Role | EntityType::Group) => input.entity_filter == Some(kind),
        None | Some(EntityType::LocalManagedPolicy | EntityType::AWSManagedPolicy) => true,
    };
    let rows = rows_of(&context.account);
    let mut found: Vec<(String, Entity)> = Vec::new();
    if wanted(EntityType::Group) {
        for group in service.tables.list_all::<Group>(&rows).await? {
            if group.path.starts_with(&prefix) && uses(&group.policies.attached, None) {
                let shown =
                    PolicyGroup { group_id: Some(group.id.clone()), group_name: Some(group.name.clone()) };
                found.push((order(&*group), Entity::Group(shown)));
            }
        }
    }
    if wanted(EntityType::Role) {
        for role in service.tables.list_all::<Role>(&rows).await? {
            if role.path.starts_with(&prefix) && uses(&role.policies.attached, role.boundary.as_ref()) {
                let shown = PolicyRole { role_id: Some(role.id.clone()), role_name: Some(role.name.clone()) };
                found.push((order(&*role), Entity::Role(shown)));
            }
        }
    }
    if wanted(EntityType::User) {
        for user in service.tables.list_all::<User>(&rows).await? {
            if user.path.starts_with(&prefix) && uses(&user.policies.attached, user.boundary.as_ref()) {
                let shown = PolicyUser { user_id: Some(user.id.clone()), user_name: Some(user.name.clone()) };
                found.push((order(&*user), Entity::User(shown)));
            }
        }
    }
    let part = paging.cut(found, |(order, _)| order.clone());
    let (mut groups, mut roles, mut users) = (Vec::new(), Vec::new(), Vec::new());
    for (_, entity) in part.items {
        match entity {
            Entity::Group(group) => groups.push(group),
            Entity::Role(role) => roles.push(role),
            Entity::User(user) => users.push(user),
        }
    }
    Ok(ListEntitiesForPolicyResponse {
        policy_groups: Some(groups),
        policy_roles: Some(roles),
        policy_users: Some(users),
        is_truncated: part.is_truncated,
        marker: part.marker,
    })
}

/// Groups, then roles, then users, each in the order of names.
fn order<T: Principal + Stored>(entity: &T) -> String {
    format!("{}/{}", T::KIND, entity.key())
}
