//! CreateSecurityGroup: a group that lets nothing in and everything out.

use crate::errors::{GROUP_DUPLICATE, GROUP_RESERVED, NO_DEFAULT_VPC, dry_run, error, store, value};
use crate::ids::GROUP;
use crate::shapes::{CreateSecurityGroupRequest, CreateSecurityGroupResult};
use crate::tags;
use crate::{Ec2Service, render};
use aws_wire::{RequestContext, ServiceError};
use resources::ec2::{SecurityGroup, Vpc};

/// Longest name and description.
const MOST_TEXT: usize = 255;
/// Attempts while others write the VPC.
const MOST_ATTEMPTS: usize = 16;

pub(crate) async fn run(
    service: &Ec2Service,
    context: &RequestContext,
    input: CreateSecurityGroupRequest,
) -> Result<CreateSecurityGroupResult, ServiceError> {
    check("GroupName", &input.group_name)?;
    check("GroupDescription", &input.description)?;
    if input.group_name == SecurityGroup::DEFAULT {
        return Err(error(&GROUP_RESERVED, "Cannot use reserved security group name: default"));
    }
    if input.group_name.starts_with("sg-") {
        return Err(value(
            "Invalid value for parameter GroupName. Group names may not be in the format sg-*.",
        ));
    }
    let tags = tags::specified(input.tag_specifications, &GROUP)?;
    for _ in 0..MOST_ATTEMPTS {
        let vpc = match &input.vpc_id {
            Some(id) => service.vpc(context, id).await?,
            None => service
                .default_vpc(context)
                .await?
                .ok_or_else(|| error(&NO_DEFAULT_VPC, "No default VPC for this user"))?,
        };
        let groups = service.all::<SecurityGroup>(context).await?;
        if groups.iter().any(|own| own.vpc == vpc.id && own.name == input.group_name) {
            let text =
                format!("The security group '{}' already exists for VPC '{}'", input.group_name, vpc.id);
            return Err(error(&GROUP_DUPLICATE, text));
        }
        dry_run(input.dry_run)?;
        let group = service.networks.security_group(&vpc, &input.group_name, &input.description);
        // The VPC is written anew, so that it is not deleted meanwhile and no two groups get one name.
        let batch = service.tables.batch().replace(&vpc, &Vpc::clone(&vpc)).create(&group);
        match tags::write(batch, context, &group.id, &tags).commit().await {
            Ok(_) => {
                return Ok(CreateSecurityGroupResult {
                    security_group_arn: Some(render::arn(context, GROUP.name, &group.id)),
                    group_id: Some(group.id),
                    tags: Some(tags::render(&tags)),
                });
            }
            Err(failure) if failure.is_conflict() => {}
            Err(failure) => return Err(store(failure)),
        }
    }
    Err(store(store::StoreError::Conflict(String::new())))
}

fn check(parameter: &str, text: &str) -> Result<(), ServiceError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c);
    if text.is_empty() || text.len() > MOST_TEXT || !text.chars().all(allowed) {
        return Err(value(format!(
            "Invalid value '{text}' for {parameter}. Character sets beyond ASCII are not supported."
        )));
    }
    Ok(())
}
