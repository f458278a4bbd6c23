//! Express services as wire shapes.

use crate::arns::{arn, cluster_arn};
use crate::containers;
use crate::errors::Failure;
use crate::render;
use crate::render::service::{revision_arn, service_arn};
use crate::shapes as wire;
use aws_wire::RequestContext;
use environment::Timestamp;
use resources::ecs::{
    ExpressConfiguration, ExpressService, RolloutState, Service, ServiceStatus, TaskDefinition,
};
use store::Tables;

/// A configuration, the task definition that goes with it, and the service revision that it is shown as.
struct Shown<'a> {
    configuration: &'a ExpressConfiguration,
    revision: String,
    definition: (String, u32),
    created_at: Timestamp,
}

/// An express service with its configurations.
pub(crate) async fn described(
    tables: &Tables,
    context: &RequestContext,
    service: &Service,
    express: &ExpressService,
    with_tags: bool,
) -> Result<wire::ECSExpressGatewayService, Failure> {
    let own = format!("{}/{}", service.cluster, service.name);
    let mut configurations = Vec::new();
    for shown in shown(service, express) {
        configurations.push(configuration(tables, context, express, &shown).await?);
    }
    let in_progress = service.primary().filter(|primary| {
        primary.rollout == RolloutState::InProgress && service.status == ServiceStatus::Active
    });
    Ok(wire::ECSExpressGatewayService {
        active_configurations: Some(configurations),
        cluster: Some(cluster_arn(context, &service.cluster)),
        created_at: Some(service.created_at),
        current_deployment: in_progress
            .map(|one| arn(context, format!("service-deployment/{own}/{}", one.service_deployment))),
        infrastructure_role_arn: Some(express.infrastructure_role.clone()),
        service_arn: Some(service_arn(context, &service.cluster, &service.name)),
        service_name: Some(service.name.clone()),
        status: Some(status(service, express)),
        tags: with_tags.then(|| render::tags(&service.tags)),
        updated_at: Some(express.updated_at),
    })
}

/// What an update answers: the configuration that the service is brought to.
pub(crate) async fn updated(
    tables: &Tables,
    context: &RequestContext,
    service: &Service,
    express: &ExpressService,
) -> Result<wire::UpdatedExpressGatewayService, Failure> {
    let target = match express.configurations.first() {
        Some(newest) => Some(configuration(tables, context, express, &Shown::told(newest)).await?),
        None => None,
    };
    Ok(wire::UpdatedExpressGatewayService {
        cluster: Some(cluster_arn(context, &service.cluster)),
        created_at: Some(service.created_at),
        service_arn: Some(service_arn(context, &service.cluster, &service.name)),
        service_name: Some(service.name.clone()),
        status: Some(status(service, express)),
        target_configuration: target,
        updated_at: Some(express.updated_at),
    })
}

/// Deleted is a service only when everything that was made for it is taken away.
fn status(service: &Service, express: &ExpressService) -> wire::ExpressGatewayServiceStatus {
    use wire::ExpressGatewayServiceStatusCode as Code;
    wire::ExpressGatewayServiceStatus {
        status_code: Some(match service.status {
            ServiceStatus::Active => Code::Active,
            ServiceStatus::Inactive if express.is_gone => Code::Inactive,
            ServiceStatus::Draining | ServiceStatus::Inactive => Code::Draining,
        }),
        status_reason: express.trouble.as_ref().map(|(reason, _)| reason.clone()),
    }
}

impl<'a> Shown<'a> {
    fn told(configuration: &'a ExpressConfiguration) -> Self {
        Self {
            configuration,
            revision: configuration.service_revision.clone(),
            definition: (configuration.family.clone(), configuration.revision),
            created_at: configuration.created_at,
        }
    }
}

/// The one that waits for its deployment, and those of the deployments that there are, the newest first.
fn shown<'a>(service: &Service, express: &'a ExpressService) -> Vec<Shown<'a>> {
    let mut all: Vec<Shown<'a>> = Vec::new();
    if express.is_pending {
        all.extend(express.configurations.first().map(Shown::told));
    }
    for deployment in &service.deployments {
        let Some(configuration) = express.configuration(&deployment.service_revision) else { continue };
        let workload = &deployment.workload;
        let is_told = configuration.service_revision == deployment.service_revision;
        all.push(Shown {
            configuration,
            revision: deployment.service_revision.clone(),
            definition: (workload.family.clone(), workload.revision),
            created_at: if is_told { configuration.created_at } else { deployment.created_at },
        });
    }
    if all.is_empty() {
        all.extend(express.configurations.first().map(Shown::told));
    }
    all
}

async fn configuration(
    tables: &Tables,
    context: &RequestContext,
    express: &ExpressService,
    shown: &Shown<'_>,
) -> Result<wire::ExpressGatewayServiceConfiguration, Failure> {
    let own = shown.configuration;
    let (family, revision) = &shown.definition;
    let key = TaskDefinition::key_of(&express.account, family, *revision);
    let definition = tables.get::<TaskDefinition>(&key).await?;
    let defined = definition.as_deref();
    Ok(wire::ExpressGatewayServiceConfiguration {
        cpu: defined.map(|own| own.cpu.to_string()),
        created_at: Some(shown.created_at),
        execution_role_arn: defined.and_then(|own| own.execution_role_arn.clone()),
        health_check_path: Some(own.health_check_path.clone()),
        ingress_paths: Some(vec![wire::IngressPathSummary {
            access_type: access_type(express),
            endpoint: express.host.clone(),
        }]),
        memory: defined.map(|own| own.memory.to_string()),
        network_configuration: Some(wire::ExpressGatewayServiceNetworkConfiguration {
            security_groups: Some(own.security_groups.clone()),
            subnets: Some(own.subnets.clone()),
        }),
        primary_container: defined.and_then(primary_container),
        scaling_target: Some(wire::ExpressGatewayScalingTarget {
            auto_scaling_metric: own.scaling.metric.parse().ok(),
            auto_scaling_target_value: Some(own.scaling.target),
            max_task_count: i32::try_from(own.scaling.count).ok(),
            min_task_count: i32::try_from(own.scaling.count).ok(),
        }),
        service_revision_arn: Some(revision_arn(
            context,
            &format!("{}/{}", express.cluster, express.name),
            &shown.revision,
        )),
        task_role_arn: defined.and_then(|own| own.task_role_arn.clone()),
    })
}

/// From where an express service is reached.
pub(crate) fn access_type(express: &ExpressService) -> wire::AccessType {
    if express.public { wire::AccessType::Public } else { wire::AccessType::Private }
}

fn primary_container(definition: &TaskDefinition) -> Option<wire::ExpressGatewayContainer> {
    let main = definition.containers.iter().find(|own| own.name == ExpressService::CONTAINER)?;
    let main = containers::render(main);
    let port = main.port_mappings.as_ref().and_then(|ports| ports.first()?.container_port);
    let options = main.log_configuration.and_then(|log| log.options).unwrap_or_default();
    let option = |name: &str| options.get(name).cloned();
    let log = option("awslogs-group").zip(option("awslogs-stream-prefix"));
    Some(wire::ExpressGatewayContainer {
        aws_logs_configuration: log.map(|(log_group, log_stream_prefix)| {
            wire::ExpressGatewayServiceAwsLogsConfiguration { log_group, log_stream_prefix }
        }),
        command: main.command,
        container_port: port,
        environment: main.environment,
        image: main.image.unwrap_or_default(),
        repository_credentials: main.repository_credentials.map(|own| {
            wire::ExpressGatewayRepositoryCredentials {
                credentials_parameter: Some(own.credentials_parameter),
            }
        }),
        secrets: main.secrets,
    })
}
