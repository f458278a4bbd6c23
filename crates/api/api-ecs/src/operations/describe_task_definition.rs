//! DescribeTaskDefinition.

use crate::arns::find_definition;
use crate::errors::client;
use crate::render;
use crate::shapes::{DescribeTaskDefinitionRequest, DescribeTaskDefinitionResponse, TaskDefinitionField};
use aws_wire::{RequestContext, ServiceError};
use store::Tables;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: DescribeTaskDefinitionRequest,
) -> Result<DescribeTaskDefinitionResponse, ServiceError> {
    let found = find_definition(tables, context, &input.task_definition).await?;
    let found = found.ok_or_else(|| client("Unable to describe task definition."))?;
    let with_tags = input.include.is_some_and(|include| include.contains(&TaskDefinitionField::Tags));
    Ok(DescribeTaskDefinitionResponse {
        tags: Some(if with_tags { render::tags(&found.tags) } else { vec![] }),
        task_definition: Some(render::definition(context, &found)),
    })
}
