//! DeleteInstanceProfile: only one without a role.

use crate::IamService;
use crate::errors::{Failure, delete_conflict};
use crate::retry::retrying;
use crate::shapes::DeleteInstanceProfileRequest;
use aws_wire::RequestContext;
use resources::iam::InstanceProfile;

pub(crate) async fn run(
    service: &IamService,
    context: &RequestContext,
    input: DeleteInstanceProfileRequest,
) -> Result<(), Failure> {
    retrying!(delete(service, context, &input.instance_profile_name))
}

async fn delete(service: &IamService, context: &RequestContext, name: &str) -> Result<(), Failure> {
    let profile = service.find::<InstanceProfile>(context, name).await?;
    if profile.role.is_some() {
        return Err(delete_conflict("Cannot delete entity, must remove roles from instance profile first."));
    }
    service.tables.delete(&profile).await?;
    Ok(())
}
