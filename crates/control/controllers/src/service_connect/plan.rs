//! What the proxy of a task does. Pure.

use load_balancing::{
    Action, Configuration, Forward, HealthCheck, HealthCheckPort, HealthCheckProtocol, HttpAttributes, Kind,
    Listener, LoadBalancer, OutlierDetection, Protocol, ProtocolVersion, Target, TargetGroup,
    TargetGroupAttributes,
};
use resources::discovery::Instance;
use resources::ecs::{ConnectEndpoint, ConnectIngress, ConnectProtocol, Task};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use store::Versioned;

/// How long a connection to a task may take to be made, in milliseconds.
const CONNECT_MILLIS: u32 = 1_000;
/// Seconds that never pass: ten years.
const FOR_EVER: u32 = 10 * 365 * 24 * 3_600;

/// The name of an endpoint in configurations and reports.
pub(super) fn endpoint_name(endpoint: &ConnectEndpoint) -> String {
    format!("egress/{}/{}:{}", endpoint.service, endpoint.dns_name, endpoint.port)
}

/// The configuration of a task's proxy: a listener for each endpoint that it reaches, and one for each port that it takes
/// connections at. `instances` are those of the services of Cloud Map behind the endpoints, by their ids.
pub(super) fn configuration(
    task: &Task,
    instances: &BTreeMap<String, Vec<Versioned<Instance>>>,
) -> Configuration {
    let mut configuration = Configuration::default();
    let Some(connect) = &task.connect else { return configuration };
    let addresses = connect.addresses();
    for endpoint in &connect.endpoints {
        let Some(address) = addresses.get(endpoint.dns_name.as_str()) else { continue };
        let behind = instances.get(&endpoint.service).into_iter().flatten();
        Door {
            name: endpoint_name(endpoint),
            address: *address,
            port: endpoint.port,
            protocol: endpoint.protocol,
            idle_timeout: endpoint.idle_timeout,
            request_timeout: endpoint.request_timeout,
            outlier_detection: Some(OutlierDetection::default()),
            targets: behind.filter_map(|row| target(row)).collect(),
        }
        .add_to(&mut configuration);
    }
    for ingress in &connect.ingress {
        let Some(interface) = &task.network_interface else { continue };
        door_of(ingress, interface.address).add_to(&mut configuration);
    }
    configuration
}

fn target(instance: &Instance) -> Option<Target> {
    if !instance.is_healthy {
        return None;
    }
    let (address, port) = (instance.ipv4()?, instance.port()?);
    Some(Target { id: instance.id.clone(), address: address.into(), port, draining_since: None })
}

fn door_of(ingress: &ConnectIngress, address: Ipv4Addr) -> Door {
    let own = Target {
        id: "container".to_owned(),
        address: IpAddr::from(Ipv4Addr::LOCALHOST),
        port: ingress.container_port,
        draining_since: None,
    };
    Door {
        name: format!("ingress/{}/{}", ingress.discovery_name, ingress.listen),
        address,
        port: ingress.listen,
        protocol: ingress.protocol,
        idle_timeout: ingress.idle_timeout,
        request_timeout: ingress.request_timeout,
        // There is no other.
        outlier_detection: None,
        targets: vec![own],
    }
}

/// An address and a port, and where connections go that come there.
struct Door {
    name: String,
    address: Ipv4Addr,
    port: u16,
    protocol: ConnectProtocol,
    idle_timeout: Option<u32>,
    request_timeout: Option<u32>,
    outlier_detection: Option<OutlierDetection>,
    targets: Vec<Target>,
}

impl Door {
    fn add_to(self, configuration: &mut Configuration) {
        let is_http = self.protocol.is_http();
        let protocol = if is_http { Protocol::Http } else { Protocol::Tcp };
        let idle = self.idle_timeout.unwrap_or(FOR_EVER);
        let forward = Action::Forward(Forward::to(self.name.clone()));
        let listener = Listener {
            tcp_idle_timeout_seconds: idle,
            ..Listener::new(self.name.clone(), protocol, self.port, forward)
        };
        configuration.load_balancers.push(LoadBalancer {
            arn: self.name.clone(),
            kind: if is_http { Kind::Application } else { Kind::Network },
            addresses: vec![self.address.into()],
            listeners: vec![listener],
            http: HttpAttributes {
                idle_timeout_seconds: idle,
                client_keep_alive_seconds: FOR_EVER,
                preserve_host_header: true,
                is_proxy: true,
                ..HttpAttributes::default()
            },
            access_log: None,
        });
        configuration.target_groups.push(TargetGroup {
            arn: self.name,
            protocol,
            protocol_version: match self.protocol {
                ConnectProtocol::Tcp | ConnectProtocol::Http => ProtocolVersion::Http1,
                ConnectProtocol::Http2 => ProtocolVersion::Http2,
                ConnectProtocol::Grpc => ProtocolVersion::Grpc,
            },
            health_check: unchecked(),
            attributes: TargetGroupAttributes {
                outlier_detection: self.outlier_detection,
                connect_timeout_millis: Some(CONNECT_MILLIS),
                request_timeout_seconds: self.request_timeout,
                ..TargetGroupAttributes::default()
            },
            source: None,
            targets: self.targets,
        });
    }
}

/// Proxies check nothing: they are told which tasks are healthy, and see how these do.
fn unchecked() -> HealthCheck {
    HealthCheck {
        enabled: false,
        protocol: HealthCheckProtocol::Tcp,
        port: HealthCheckPort::TrafficPort,
        path: "/".to_owned(),
        interval_seconds: 30,
        timeout_seconds: 5,
        healthy_threshold: 2,
        unhealthy_threshold: 2,
        // One code is a matcher.
        matcher: "200".parse().expect("a code is a matcher"),
    }
}
