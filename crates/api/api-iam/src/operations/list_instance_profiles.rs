//! ListInstanceProfiles and ListInstanceProfilesForRole.

use super::get_instance_profile::shown;
use crate::IamService;
use crate::errors::Failure;
use crate::paging::{Paging, Part};
use crate::shapes::{
    self as wire, ListInstanceProfilesForRoleRequest, ListInstanceProfilesForRoleResponse,
    ListInstanceProfilesRequest, ListInstanceProfilesResponse,
};
use aws_wire::RequestContext;
use resources::Stored;
use resources::iam::{InstanceProfile, Role, key_of, rows_of};
use store::Versioned;

pub(crate) async fn list_instance_profiles(
    service: &IamService,
    context: &RequestContext,
    input: ListInstanceProfilesRequest,
) -> Result<ListInstanceProfilesResponse, Failure> {
    let paging = Paging::new(input.marker.as_deref(), input.max_items)?;
    let prefix = input.path_prefix.unwrap_or_default();
    let rows = service.tables.list_all::<InstanceProfile>(&rows_of(&context.account)).await?;
    let rows = rows.into_iter().filter(|profile| profile.path.starts_with(&prefix));
    let part = paging.cut(rows, |profile| profile.key());
    let (is_truncated, marker) = (part.is_truncated, part.marker.clone());
    let instance_profiles = all_shown(service, part).await?;
    Ok(ListInstanceProfilesResponse { instance_profiles, is_truncated, marker })
}

pub(crate) async fn list_instance_profiles_for_role(
    service: &IamService,
    context: &RequestContext,
    input: ListInstanceProfilesForRoleRequest,
) -> Result<ListInstanceProfilesForRoleResponse, Failure> {
    let paging = Paging::new(input.marker.as_deref(), input.max_items)?;
    let role = service.find::<Role>(context, &input.role_name).await?;
    let mut keys: Vec<_> = role.instance_profiles.iter().map(|name| key_of(&context.account, name)).collect();
    keys.sort();
    let rows = service.tables.get_many::<InstanceProfile>(&keys).await?.into_iter().flatten();
    let part = paging.cut(rows, |profile| profile.key());
    let (is_truncated, marker) = (part.is_truncated, part.marker.clone());
    let instance_profiles = all_shown(service, part).await?;
    Ok(ListInstanceProfilesForRoleResponse { instance_profiles, is_truncated, marker })
}

async fn all_shown(
    service: &IamService,
    part: Part<Versioned<InstanceProfile>>,
) -> Result<Vec<wire::InstanceProfile>, Failure> {
    let mut all = Vec::with_capacity(part.items.len());
    for profile in &part.items {
        all.push(shown(service, profile).await?);
    }
    Ok(all)
}
