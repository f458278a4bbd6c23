//! GetInstanceProfile.

use crate::errors::Failure;
use crate::shapes::{self as wire, GetInstanceProfileRequest, GetInstanceProfileResponse};
use crate::{IamService, render};
use aws_wire::RequestContext;
use resources::iam::{InstanceProfile, Role, key_of};

pub(crate) async fn run(
    service: &IamService,
    context: &RequestContext,
    input: GetInstanceProfileRequest,
) -> Result<GetInstanceProfileResponse, Failure> {
    let profile = service.find::<InstanceProfile>(context, &input.instance_profile_name).await?;
    Ok(GetInstanceProfileResponse { instance_profile: shown(service, &profile).await? })
}

/// An instance profile with its role.
pub(crate) async fn shown(
    service: &IamService,
    profile: &InstanceProfile,
) -> Result<wire::InstanceProfile, Failure> {
    let role = match &profile.role {
        Some(name) => service.tables.get::<Role>(&key_of(&profile.account, name)).await?,
        None => None,
    };
    let role = match role {
        Some(role) => Some(service.with_trust_shown(&role).await?),
        None => None,
    };
    Ok(render::instance_profile(profile, role.as_ref()))
}
