//! RegisterContainerInstance: an agent announces its machine. Only Fargate hosts of this region so far.

use crate::errors::{Failure, client};
use crate::render;
use crate::shapes::{RegisterContainerInstanceRequest, RegisterContainerInstanceResponse, Resource};
use aws_wire::{RequestContext, ServiceError};
use resources::ecs::{ContainerInstance, FARGATE_HOSTS, InstanceStatus};
use store::Tables;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: RegisterContainerInstanceRequest,
) -> Result<RegisterContainerInstanceResponse, ServiceError> {
    if input.cluster.as_deref() != Some(FARGATE_HOSTS) {
        return Err(client(
            "This region has the Fargate launch type only; container instances cannot join a cluster.",
        ));
    }
    let resources = input.total_resources.unwrap_or_default();
    let id =
        input.container_instance_arn.as_deref().and_then(|arn| arn.rsplit('/').next()).map(str::to_owned);
    let wanted = ContainerInstance {
        account: context.account.clone(),
        cluster: FARGATE_HOSTS.to_owned(),
        id: id.unwrap_or_else(|| tables.environment().random_hex(32)),
        status: InstanceStatus::Active,
        agent_connected: false,
        cpu: amount(&resources, "CPU"),
        memory: amount(&resources, "MEMORY"),
        agent_version: input.version_info.and_then(|version| version.agent_version).unwrap_or_default(),
        attributes: input.attributes.unwrap_or_default().into_iter().map(|a| (a.name, a.value)).collect(),
        registered_at: context.time,
    };
    let key = resources::Stored::key(&wanted);
    let again = |old: &ContainerInstance| {
        Ok::<_, Failure>(Some(ContainerInstance {
            registered_at: old.registered_at,
            agent_connected: old.agent_connected,
            ..wanted.clone()
        }))
    };
    let instance = match tables.update(&key, again).await? {
        Some(instance) => instance,
        None => tables.create(wanted.clone()).await.map_err(Failure::from)?,
    };
    Ok(RegisterContainerInstanceResponse {
        container_instance: Some(render::container_instance(context, &instance)),
    })
}

fn amount(resources: &[Resource], name: &str) -> u32 {
    let found = resources.iter().find(|resource| resource.name.as_deref() == Some(name));
    found.and_then(|resource| u32::try_from(resource.integer_value?).ok()).unwrap_or(0)
}
