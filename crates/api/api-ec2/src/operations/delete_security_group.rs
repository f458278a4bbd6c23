//! DeleteSecurityGroup: of a group that nothing is in and no rule speaks of.

use crate::Ec2Service;
use crate::errors::{CANNOT_DELETE, DEPENDENCY_VIOLATION, dry_run, error, store};
use crate::shapes::{DeleteSecurityGroupRequest, DeleteSecurityGroupResult};
use crate::tags;
use aws_wire::{RequestContext, ServiceError};
use resources::ec2::{NetworkInterface, Peer, SecurityGroup};
use store::Versioned;

pub(crate) async fn run(
    service: &Ec2Service,
    context: &RequestContext,
    input: DeleteSecurityGroupRequest,
) -> Result<DeleteSecurityGroupResult, ServiceError> {
    let (id, name) = (input.group_id.as_deref(), input.group_name.as_deref());
    let group = service.named_group(context, id, name).await?;
    if group.is_default() {
        let text =
            format!("the specified group: \"{}\" name: \"default\" cannot be deleted by a user", group.id);
        return Err(error(&CANNOT_DELETE, text));
    }
    if input.dry_run == Some(true) {
        refuse_used(service, context, &group).await?;
    }
    dry_run(input.dry_run)?;
    // First nobody may join it any more; then what was there before is seen.
    let closing = SecurityGroup { closing: true, ..SecurityGroup::clone(&group) };
    let group = service.tables.replace(&group, closing).await.map_err(store)?;
    if let Err(used) = refuse_used(service, context, &group).await {
        let open = SecurityGroup { closing: false, ..SecurityGroup::clone(&group) };
        service.tables.replace(&group, open).await.map_err(store)?;
        return Err(used);
    }
    let mut batch = service.tables.batch().delete(&group);
    batch = tags::delete(batch, context, &group.id);
    for rule in &group.rules {
        batch = tags::delete(batch, context, &rule.id);
    }
    batch.commit().await.map_err(store)?;
    Ok(DeleteSecurityGroupResult { group_id: Some(group.id.clone()), r#return: Some(true) })
}

async fn refuse_used(
    service: &Ec2Service,
    context: &RequestContext,
    group: &Versioned<SecurityGroup>,
) -> Result<(), ServiceError> {
    let interfaces = service.all::<NetworkInterface>(context).await?;
    let groups = service.all::<SecurityGroup>(context).await?;
    let peer = Peer::Group(group.id.clone());
    let has_rule = |other: &Versioned<SecurityGroup>| {
        other.id != group.id && other.rules.iter().any(|rule| rule.peer == peer)
    };
    if interfaces.iter().any(|own| own.groups.contains(&group.id)) || groups.iter().any(has_rule) {
        return Err(error(&DEPENDENCY_VIOLATION, format!("resource {} has a dependent object", group.id)));
    }
    Ok(())
}
