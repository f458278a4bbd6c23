//! Stored resources as answers show them.

use crate::documents::encoded;
use crate::shapes::{self as wire, AttachedPermissionsBoundary, PermissionsBoundaryAttachmentType};
use crate::tags;
use resources::iam::{Group, InstanceProfile, ManagedPolicy, PolicyUse, PolicyVersion, Role, RoleUse, User};

/// A user in full, as CreateUser and GetUser show it.
pub(crate) fn user(user: &User) -> wire::User {
    wire::User {
        permissions_boundary: boundary(user.boundary.as_deref()),
        tags: tags::shown_if_any(&user.tags),
        ..user_in_list(user)
    }
}

/// A user as lists show it: without its boundary and tags.
pub(crate) fn user_in_list(user: &User) -> wire::User {
    wire::User {
        arn: user.arn(),
        create_date: user.created_at,
        password_last_used: None,
        path: user.path.clone(),
        permissions_boundary: None,
        tags: None,
        user_id: user.id.clone(),
        user_name: user.name.clone(),
    }
}

/// A group.
pub(crate) fn group(group: &Group) -> wire::Group {
    wire::Group {
        arn: group.arn(),
        create_date: group.created_at,
        group_id: group.id.clone(),
        group_name: group.name.clone(),
        path: group.path.clone(),
    }
}

/// A role in full, as GetRole shows it.
pub(crate) fn role(role: &Role, used: Option<&RoleUse>) -> wire::Role {
    wire::Role { role_last_used: Some(role_use(used)), ..new_role(role) }
}

/// A role as CreateRole shows it: not used yet.
pub(crate) fn new_role(role: &Role) -> wire::Role {
    wire::Role {
        permissions_boundary: boundary(role.boundary.as_deref()),
        tags: tags::shown_if_any(&role.tags),
        ..role_in_list(role)
    }
}

/// A role as lists show it: without its boundary, last use and tags.
pub(crate) fn role_in_list(role: &Role) -> wire::Role {
    wire::Role {
        arn: role.arn(),
        assume_role_policy_document: Some(encoded(&role.trust_policy)),
        create_date: role.created_at,
        description: role.description.clone(),
        max_session_duration: i32::try_from(role.max_session_seconds).ok(),
        path: role.path.clone(),
        permissions_boundary: None,
        role_id: role.id.clone(),
        role_last_used: None,
        role_name: role.name.clone(),
        tags: None,
    }
}

/// When a role was last used; empty when it never was.
pub(crate) fn role_use(used: Option<&RoleUse>) -> wire::RoleLastUsed {
    wire::RoleLastUsed {
        last_used_date: used.map(|used| used.used_at),
        region: used.map(|used| used.region.clone()),
    }
}

/// An instance profile with the role in it.
pub(crate) fn instance_profile(profile: &InstanceProfile, role: Option<&Role>) -> wire::InstanceProfile {
    wire::InstanceProfile {
        arn: profile.arn(),
        create_date: profile.created_at,
        instance_profile_id: profile.id.clone(),
        instance_profile_name: profile.name.clone(),
        path: profile.path.clone(),
        roles: role.map(role_in_list).into_iter().collect(),
        tags: Some(tags::shown(&profile.tags)),
    }
}

/// A customer's managed policy in full, as GetPolicy shows it.
pub(crate) fn policy(policy: &ManagedPolicy, used: Option<&PolicyUse>) -> wire::Policy {
    wire::Policy {
        description: policy.description.clone(),
        tags: Some(tags::shown(&policy.tags)),
        ..policy_in_list(policy, used)
    }
}

/// A customer's managed policy as lists show it: without its description and tags.
pub(crate) fn policy_in_list(policy: &ManagedPolicy, used: Option<&PolicyUse>) -> wire::Policy {
    wire::Policy {
        arn: Some(policy.arn()),
        attachment_count: Some(count(used.map(|used| used.attachments))),
        create_date: Some(policy.created_at),
        default_version_id: Some(format!("v{}", policy.default_version)),
        description: None,
        is_attachable: Some(true),
        path: Some(policy.path.clone()),
        permissions_boundary_usage_count: Some(count(used.map(|used| used.boundaries))),
        policy_id: Some(policy.id.clone()),
        policy_name: Some(policy.name.clone()),
        tags: None,
        update_date: Some(policy.updated_at),
    }
}

/// A policy of AWS.
pub(crate) fn aws_policy(
    policy: &aws_managed_policies::AwsManagedPolicy,
    used: Option<&PolicyUse>,
) -> wire::Policy {
    wire::Policy {
        arn: Some(policy.arn()),
        attachment_count: Some(count(used.map(|used| used.attachments))),
        create_date: Some(policy.created_at),
        default_version_id: Some(format!("v{}", policy.version)),
        description: None,
        is_attachable: Some(true),
        path: Some(policy.path.clone()),
        permissions_boundary_usage_count: Some(count(used.map(|used| used.boundaries))),
        policy_id: Some(policy.id.clone()),
        policy_name: Some(policy.name.clone()),
        tags: None,
        update_date: Some(policy.updated_at),
    }
}

/// A version of a managed policy; lists leave the document out.
pub(crate) fn version(version: &PolicyVersion, default: u32, with_document: bool) -> wire::PolicyVersion {
    wire::PolicyVersion {
        create_date: Some(version.created_at),
        document: with_document.then(|| encoded(&version.document)),
        is_default_version: Some(version.number == default),
        version_id: Some(format!("v{}", version.number)),
    }
}

/// The version in force of a policy of AWS.
pub(crate) fn aws_version(
    policy: &aws_managed_policies::AwsManagedPolicy,
    with_document: bool,
) -> wire::PolicyVersion {
    wire::PolicyVersion {
        create_date: Some(policy.updated_at),
        document: with_document.then(|| encoded(&policy.document())),
        is_default_version: Some(true),
        version_id: Some(format!("v{}", policy.version)),
    }
}

/// A permissions boundary.
pub(crate) fn boundary(arn: Option<&str>) -> Option<AttachedPermissionsBoundary> {
    arn.map(|arn| AttachedPermissionsBoundary {
        permissions_boundary_arn: Some(arn.to_owned()),
        permissions_boundary_type: Some(PermissionsBoundaryAttachmentType::PermissionsBoundaryPolicy),
    })
}

/// An attached policy: its ARN and the name at the end of it.
pub(crate) fn attached(arn: &str) -> wire::AttachedPolicy {
    let name = arn.rsplit('/').next().unwrap_or(arn);
    wire::AttachedPolicy { policy_arn: Some(arn.to_owned()), policy_name: Some(name.to_owned()) }
}

fn count(number: Option<u32>) -> i32 {
    number.map_or(0, |number| i32::try_from(number).unwrap_or(i32::MAX))
}
