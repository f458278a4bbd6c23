//! CreateInstanceProfile.

use crate::entities::now;
use crate::errors::{Failure, already_exists};
use crate::shapes::{CreateInstanceProfileRequest, CreateInstanceProfileResponse};
use crate::{IamService, ids, quotas, render, tags};
use aws_wire::RequestContext;
use resources::iam::InstanceProfile;

pub(crate) async fn run(
    service: &IamService,
    context: &RequestContext,
    input: CreateInstanceProfileRequest,
) -> Result<CreateInstanceProfileResponse, Failure> {
    let profile = InstanceProfile {
        account: context.account.clone(),
        name: input.instance_profile_name.clone(),
        path: input.path.unwrap_or_else(|| "/".to_owned()),
        id: ids::unique(service.environment(), "AIPA"),
        role: None,
        tags: tags::new(input.tags)?,
        created_at: now(context),
    };
    let quota = ("InstanceProfilesPerAccount", quotas::INSTANCE_PROFILES);
    if !service.create_counted(&context.account, &profile, quota).await? {
        return Err(already_exists(format_args!(
            "Instance Profile {} already exists.",
            input.instance_profile_name
        )));
    }
    Ok(CreateInstanceProfileResponse { instance_profile: render::instance_profile(&profile, None) })
}
