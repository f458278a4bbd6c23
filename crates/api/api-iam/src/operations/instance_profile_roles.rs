//! AddRoleToInstanceProfile and RemoveRoleFromInstanceProfile. Role and profile name each other, so that neither is
//! deleted while the other needs it.

use crate::IamService;
use crate::entities::Principal;
use crate::errors::{Failure, no_such_entity, over_quota};
use crate::retry::retrying;
use crate::shapes::{AddRoleToInstanceProfileRequest, RemoveRoleFromInstanceProfileRequest};
use aws_wire::RequestContext;
use resources::iam::{InstanceProfile, Role};

pub(crate) async fn add_role_to_instance_profile(
    service: &IamService,
    context: &RequestContext,
    input: AddRoleToInstanceProfileRequest,
) -> Result<(), Failure> {
    retrying!(add(service, context, &input))
}

pub(crate) async fn remove_role_from_instance_profile(
    service: &IamService,
    context: &RequestContext,
    input: RemoveRoleFromInstanceProfileRequest,
) -> Result<(), Failure> {
    retrying!(remove(service, context, &input))
}

async fn add(
    service: &IamService,
    context: &RequestContext,
    input: &AddRoleToInstanceProfileRequest,
) -> Result<(), Failure> {
    let profile = service.find::<InstanceProfile>(context, &input.instance_profile_name).await?;
    let role = service.find::<Role>(context, &input.role_name).await?;
    role.modifiable()?;
    if profile.role.is_some() {
        return Err(over_quota("InstanceSessionsPerInstanceProfile", 1));
    }
    let filled = InstanceProfile { role: Some(role.name.clone()), ..InstanceProfile::clone(&profile) };
    let mut used = Role::clone(&role);
    used.instance_profiles.push(profile.name.clone());
    service.tables.batch().replace(&profile, &filled).replace(&role, &used).commit().await?;
    Ok(())
}

async fn remove(
    service: &IamService,
    context: &RequestContext,
    input: &RemoveRoleFromInstanceProfileRequest,
) -> Result<(), Failure> {
    let profile = service.find::<InstanceProfile>(context, &input.instance_profile_name).await?;
    let role = service.find::<Role>(context, &input.role_name).await?;
    if profile.role.as_ref() != Some(&role.name) {
        return Err(no_such_entity(format_args!(
            "Role {} in Instance Profile {} cannot be found.",
            role.name, profile.name
        )));
    }
    let emptied = InstanceProfile { role: None, ..InstanceProfile::clone(&profile) };
    let mut unused = Role::clone(&role);
    unused.instance_profiles.retain(|name| *name != profile.name);
    service.tables.batch().replace(&profile, &emptied).replace(&role, &unused).commit().await?;
    Ok(())
}
