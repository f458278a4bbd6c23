//! DeleteGroup: only one without users and policies.

use crate::IamService;
use crate::errors::{Failure, delete_conflict};
use crate::retry::retrying;
use crate::shapes::DeleteGroupRequest;
use aws_wire::RequestContext;
use resources::iam::Group;

pub(crate) async fn run(
    service: &IamService,
    context: &RequestContext,
    input: DeleteGroupRequest,
) -> Result<(), Failure> {
    retrying!(delete(service, context, &input.group_name))
}

async fn delete(service: &IamService, context: &RequestContext, name: &str) -> Result<(), Failure> {
    let group = service.find::<Group>(context, name).await?;
    let hangs_on = [
        (group.members > 0, "must remove users from group first"),
        (!group.policies.attached.is_empty(), "must detach all policies first"),
        (!group.policies.inline.is_empty(), "must delete policies first"),
    ];
    if let Some((_, what)) = hangs_on.iter().find(|(hangs, _)| *hangs) {
        return Err(delete_conflict(format_args!("Cannot delete entity, {what}.")));
    }
    service.tables.delete(&group).await?;
    Ok(())
}
