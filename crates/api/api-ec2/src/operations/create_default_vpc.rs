//! CreateDefaultVpc: a default VPC for an account that deleted its own.

use crate::errors::{DEFAULT_VPC_EXISTS, dry_run, error, store};
use crate::shapes::{CreateDefaultVpcRequest, CreateDefaultVpcResult};
use crate::{Ec2Service, render};
use aws_wire::{RequestContext, ServiceError};
use virtual_networks::NoDefaultVpc;

pub(crate) async fn run(
    service: &Ec2Service,
    context: &RequestContext,
    input: CreateDefaultVpcRequest,
) -> Result<CreateDefaultVpcResult, ServiceError> {
    dry_run(input.dry_run)?;
    let vpc = service.networks.create_default(&context.account).await.map_err(|failure| match failure {
        NoDefaultVpc::Exists(id) => error(
            &DEFAULT_VPC_EXISTS,
            format!("A Default VPC already exists for this account in this region: {id}"),
        ),
        NoDefaultVpc::Store(failure) => store(failure),
    })?;
    let tags = service.tags(context).await?;
    Ok(CreateDefaultVpcResult { vpc: Some(render::vpc(context, &vpc, &tags)) })
}
