//! Service Connect: what requests ask for, and what becomes of it in the namespace.
//!
//! A service offers ports of its task definition under names in a namespace of Cloud Map. Each name is a service of Cloud
//! Map that is made together with the ECS service and goes with it. What is asked for is read without the store
//! ([`read`]), and settled against the task definition and the namespace ([`settle`]) in the transaction that begins the
//! deployment: the row of the namespace is written with it, so that no two services take the same name.

mod namespace;
mod read;
mod shown;

pub(crate) use namespace::{cluster_default, find_namespace};
pub(crate) use read::{Asked, read};
pub(crate) use shown::{configuration, resources};

use crate::errors::{Failure, invalid};
use crate::execution_role;
use crate::shapes::errors;
use aws_wire::{RequestContext, ServiceError};
use resources::Stored;
use resources::discovery::{CustomHealth, DiscoveryService, Namespace, ServiceName, Tags, random_id};
use resources::ecs::{
    Cluster, ConnectEndpoint, ConnectProtocol, ConnectService, PortMapping, Service, ServiceConnect,
    ServiceStatus, TaskDefinition,
};
use std::collections::{BTreeMap, BTreeSet};
use store::{Batch, Tables, Versioned};

/// What was asked for, settled.
pub(crate) struct Settled {
    /// For the workload.
    pub(crate) connect: ServiceConnect,
    /// What tasks of the deployment reach.
    pub(crate) endpoints: Vec<ConnectEndpoint>,
    namespace: Versioned<Namespace>,
    new: Vec<DiscoveryService>,
    used: Vec<Versioned<DiscoveryService>>,
}

impl Settled {
    /// Writes what is new in the namespace, if what is there is still there.
    pub(crate) fn write(&self, mut batch: Batch) -> Batch {
        batch = batch.replace(&self.namespace, &self.namespace);
        for own in &self.used {
            batch = batch.require_unchanged(own);
        }
        for own in &self.new {
            batch = batch.create(own).create(&own.name_row(&self.namespace));
        }
        batch
    }
}

/// Settles what a service asks for: its ports, its names, and the endpoints that its tasks will reach.
pub(crate) async fn settle(
    tables: &Tables,
    context: &RequestContext,
    cluster: &Cluster,
    service: &Service,
    asked: &Asked,
    definition: &TaskDefinition,
) -> Result<Settled, Failure> {
    let given = asked.namespace.clone().or_else(|| cluster.connect_namespace.clone()).ok_or_else(|| {
        invalid(
            "The Service Connect configuration names no namespace, and the cluster has no default one. Specify a \
             namespace and try again.",
        )
    })?;
    let namespace = find_namespace(tables, context, &given).await?;
    let namespace = namespace.ok_or_else(|| not_found(&given))?;
    if asked.logs.is_some() && definition.execution_role_arn.as_ref().is_none_or(String::is_empty) {
        return Err(execution_role::needed("log driver awslogs").into());
    }
    let mut settled = Settled {
        connect: ServiceConnect {
            namespace: namespace.id.clone(),
            namespace_name: namespace.name.clone(),
            given,
            services: Vec::new(),
            logs: asked.logs.clone(),
        },
        endpoints: Vec::new(),
        namespace,
        new: Vec::new(),
        used: Vec::new(),
    };
    for own in &asked.services {
        let port = named_port(definition, &own.port_name)?;
        let id = settled.name(tables, context, service, own.name()).await?;
        settled.connect.services.push(port.check(own, id)?);
    }
    check_ports(&settled.connect, definition)?;
    settled.endpoints = endpoints(tables, service, &settled.connect).await?;
    Ok(settled)
}

impl Settled {
    /// The id of the service of Cloud Map with a name: the one that the ECS service has, or a new one.
    async fn name(
        &mut self,
        tables: &Tables,
        context: &RequestContext,
        service: &Service,
        name: &str,
    ) -> Result<String, Failure> {
        let namespace = &self.namespace;
        let in_namespace = ServiceName::in_namespace(namespace, name);
        let key = ServiceName::key_of(&context.account, &namespace.id, &in_namespace);
        let Some(row) = tables.get::<ServiceName>(&key).await? else {
            let id = random_id(tables.environment(), "srv");
            self.new.push(discovery_service(context, service, namespace, name, &id));
            return Ok(id);
        };
        let found =
            tables.get::<DiscoveryService>(&DiscoveryService::key_of(&context.account, &row.id)).await?;
        match found.filter(|found| found.owner.as_ref() == Some(&service.key())) {
            Some(found) => {
                let id = found.id.clone();
                self.used.push(found);
                Ok(id)
            }
            None => Err(invalid(format!(
                "The discoveryName {name} is already in use in the namespace {}. A discoveryName must be unique within \
                 its namespace.",
                namespace.name
            ))
            .into()),
        }
    }
}

fn not_found(given: &str) -> ServiceError {
    ServiceError::new(
        &errors::NAMESPACE_NOT_FOUND_EXCEPTION,
        format!("The specified namespace {given} was not found."),
    )
}

/// A port of the task definition.
struct Port<'a>(&'a PortMapping);

fn named_port<'a>(definition: &'a TaskDefinition, name: &str) -> Result<Port<'a>, ServiceError> {
    let mut ports = definition.containers.iter().flat_map(|container| &container.port_mappings);
    let port = ports.find(|port| port.name.as_deref() == Some(name)).ok_or_else(|| {
        invalid(format!(
            "The portName {name} in the Service Connect configuration was not found in the portMappings of the task \
             definition."
        ))
    })?;
    if port.protocol == "udp" || port.container_port == 0 {
        return Err(invalid(format!(
            "The port mapping {name} cannot be used with Service Connect: it must have one containerPort and the \
             protocol tcp."
        )));
    }
    Ok(Port(port))
}

impl Port<'_> {
    fn check(self, own: &read::AskedService, service: String) -> Result<ConnectService, ServiceError> {
        let protocol = ConnectProtocol::of(self.0.app_protocol.as_deref());
        if own.request_timeout.is_some() && !protocol.is_http() {
            return Err(invalid(
                "perRequestTimeoutSeconds can only be set when the appProtocol of the port mapping is http, http2 or grpc.",
            ));
        }
        if own.aliases.iter().any(|alias| alias.test.is_some()) && !protocol.is_http() {
            return Err(invalid(
                "testTrafficRules can only be set when the appProtocol of the port mapping is http, http2 or grpc.",
            ));
        }
        Ok(ConnectService {
            port_name: own.port_name.clone(),
            discovery_name: own.discovery_name.clone(),
            service,
            aliases: own.aliases.clone(),
            ingress_port: own.ingress_port,
            idle_timeout: own.idle_timeout,
            request_timeout: own.request_timeout,
            container_port: self.0.container_port,
            protocol,
        })
    }
}

/// A port that the proxy takes connections at is nobody else's.
fn check_ports(connect: &ServiceConnect, definition: &TaskDefinition) -> Result<(), ServiceError> {
    let containers = definition.containers.iter().flat_map(|container| &container.port_mappings);
    let mut taken: BTreeSet<u16> = containers.map(|port| port.container_port).collect();
    for port in connect.services.iter().filter_map(|own| own.ingress_port) {
        if !taken.insert(port) {
            return Err(invalid(format!(
                "The ingressPortOverride {port} is already in use by a container or by another Service Connect service \
                 of the task."
            )));
        }
    }
    Ok(())
}

/// The endpoints of a namespace: those of its other services as they are, and those of this one as they will be.
async fn endpoints(
    tables: &Tables,
    service: &Service,
    connect: &ServiceConnect,
) -> Result<Vec<ConnectEndpoint>, Failure> {
    let mut endpoints = connect.endpoints(service);
    let mut taken = BTreeMap::new();
    for other in tables.list_all::<Service>(&format!("{}/", service.account)).await? {
        let own = other.primary().and_then(|primary| primary.workload.connect.as_ref());
        let own = own.filter(|own| own.namespace == connect.namespace && other.key() != service.key());
        if let Some(own) = own.filter(|_| other.status == ServiceStatus::Active) {
            for endpoint in own.endpoints(&other) {
                taken.insert((endpoint.dns_name.clone(), endpoint.port), other.name.clone());
                endpoints.push(endpoint);
            }
        }
    }
    let mut own = BTreeSet::new();
    for endpoint in connect.endpoints(service) {
        let place = (endpoint.dns_name, endpoint.port);
        let by = taken.get(&place).map_or("this service twice", String::as_str);
        if taken.contains_key(&place) || !own.insert(place.clone()) {
            return Err(invalid(format!(
                "The clientAlias {}:{} is already in use by {by}. Each name and port mapping must be unique within the \
                 namespace.",
                place.0, place.1
            ))
            .into());
        }
    }
    endpoints.sort_by(|one, other| (&one.dns_name, one.port).cmp(&(&other.dns_name, other.port)));
    Ok(endpoints)
}

/// What is found by DiscoverInstances alone, as healthy as its tasks.
fn discovery_service(
    context: &RequestContext,
    service: &Service,
    namespace: &Namespace,
    name: &str,
    id: &str,
) -> DiscoveryService {
    DiscoveryService {
        account: context.account.clone(),
        id: id.to_owned(),
        namespace: namespace.id.clone(),
        name: name.to_owned(),
        description: Some(format!("Managed by Amazon ECS for the service {}", service.name)),
        dns: None,
        is_http_only: true,
        custom_health: Some(CustomHealth::default()),
        attributes: BTreeMap::new(),
        creator_request_id: None,
        owner: Some(service.key()),
        tags: Tags::from([("AmazonECSManaged".to_owned(), "true".to_owned())]),
        created_at: context.time,
    }
}

#[cfg(test)]
mod tests;
