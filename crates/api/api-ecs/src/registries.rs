//! The services of Cloud Map that the tasks of a service are registered with.

use crate::errors::{Failure, invalid};
use crate::shapes as wire;
use aws_wire::RequestContext;
use identifiers::Arn;
use resources::discovery::{DiscoveryService, RecordKind};
use resources::ecs::{ServiceRegistry, TaskDefinition};
use store::Tables;

/// Reads what a request asks for, as ECS validates it for tasks with network interfaces of their own.
pub(crate) async fn registries(
    tables: &Tables,
    context: &RequestContext,
    given: Vec<wire::ServiceRegistry>,
    definition: &TaskDefinition,
) -> Result<Vec<ServiceRegistry>, Failure> {
    if given.len() > 1 {
        return Err(invalid("Multiple service registries are not supported for a service.").into());
    }
    let mut registries = Vec::with_capacity(given.len());
    for one in given {
        registries.push(registry(context, one)?.validated(tables, context, definition).await?);
    }
    Ok(registries)
}

/// Checks that what a service has goes with another task definition.
pub(crate) async fn check(
    tables: &Tables,
    context: &RequestContext,
    registries: &[ServiceRegistry],
    definition: &TaskDefinition,
) -> Result<(), Failure> {
    for registry in registries {
        Given(registry.clone()).validated(tables, context, definition).await?;
    }
    Ok(())
}

/// As it was given.
struct Given(ServiceRegistry);

fn registry(context: &RequestContext, given: wire::ServiceRegistry) -> Result<Given, Failure> {
    let wire::ServiceRegistry { container_name, container_port, port, registry_arn } = given;
    let arn = registry_arn.filter(|arn| !arn.is_empty());
    let arn = arn.ok_or_else(|| invalid("registryArn cannot be empty."))?;
    let number = |given: Option<i32>, name: &str| {
        let fits = |port: i32| u16::try_from(port).ok().filter(|port| *port > 0);
        given
            .map(|port| fits(port).ok_or_else(|| invalid(format!("{name} must be between 1 and 65535."))))
            .transpose()
    };
    Ok(Given(ServiceRegistry {
        service: service_id(context, &arn).ok_or_else(|| not_found(&arn))?,
        container_name: container_name.filter(|name| !name.is_empty()),
        container_port: number(container_port, "containerPort")?,
        port: number(port, "port")?,
        arn,
    }))
}

/// The id in the ARN of a service of Cloud Map of this region and account.
fn service_id(context: &RequestContext, given: &str) -> Option<String> {
    let arn: Arn = given.parse().ok()?;
    let own = arn.service == "servicediscovery"
        && arn.region == context.region.as_str()
        && arn.account == context.account.as_str();
    arn.resource.strip_prefix("service/").filter(|_| own).map(str::to_owned)
}

fn not_found(arn: &str) -> aws_wire::ServiceError {
    invalid(format!("The service registry {arn} was not found."))
}

impl Given {
    async fn validated(
        self,
        tables: &Tables,
        context: &RequestContext,
        definition: &TaskDefinition,
    ) -> Result<ServiceRegistry, Failure> {
        let registry = self.0;
        let key = DiscoveryService::key_of(&context.account, &registry.service);
        let service = tables.get::<DiscoveryService>(&key).await?;
        let service = service.ok_or_else(|| not_found(&registry.arn))?;
        check_ports(&registry, &service)?;
        check_container(&registry, definition)?;
        Ok(registry)
    }
}

/// SRV records tell a port, others do not.
fn check_ports(registry: &ServiceRegistry, service: &DiscoveryService) -> Result<(), Failure> {
    if registry.port.is_some() && (registry.container_port.is_some() || registry.container_name.is_some()) {
        return Err(invalid(
            "Specify a value for either 'port' or the 'containerName' and 'containerPort' combination, but not both. \
             Remove one and retry.",
        )
        .into());
    }
    if registry.container_port.is_some() && registry.container_name.is_none() {
        return Err(invalid("When specifying a 'containerPort', a 'containerName' is required, too.").into());
    }
    if service.record(RecordKind::Aaaa).is_some() {
        return Err(invalid(
            "The service registry has AAAA records, and tasks of this region have no IPv6 addresses.",
        )
        .into());
    }
    let has_srv = service.record(RecordKind::Srv).is_some();
    if has_srv && registry.registered_port().is_none() {
        return Err(invalid(
            "The service registry has SRV records. Specify a value for either 'port' or the 'containerName' and \
             'containerPort' combination and retry.",
        )
        .into());
    }
    if !has_srv && service.dns.is_some() {
        for (given, name) in [(registry.container_port, "containerPort"), (registry.port, "port")] {
            if given.is_some() {
                return Err(invalid(format!(
                    "The values specified for serviceRegistries do not require a value for '{name}'. Remove the value \
                     and retry."
                ))
                .into());
            }
        }
    }
    Ok(())
}

fn check_container(registry: &ServiceRegistry, definition: &TaskDefinition) -> Result<(), Failure> {
    let Some(name) = &registry.container_name else { return Ok(()) };
    let container = definition.containers.iter().find(|container| container.name == *name);
    let container = container
        .ok_or_else(|| invalid(format!("The container {name} does not exist in the task definition.")))?;
    let Some(port) = registry.container_port else { return Ok(()) };
    if container.port_mappings.iter().any(|mapping| mapping.container_port == port) {
        Ok(())
    } else {
        Err(invalid(format!("The container {name} did not have a container port {port} defined.")).into())
    }
}

/// As the API shows them.
pub(crate) fn shown(registries: &[ServiceRegistry]) -> Vec<wire::ServiceRegistry> {
    let one = |own: &ServiceRegistry| wire::ServiceRegistry {
        registry_arn: Some(own.arn.clone()),
        container_name: own.container_name.clone(),
        container_port: own.container_port.map(i32::from),
        port: own.port.map(i32::from),
    };
    registries.iter().map(one).collect()
}
