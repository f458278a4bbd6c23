//! What the proxy of a task does. Pure.

use super::observe::Behind;
use super::ways::Ways;
use load_balancing::{
    Configuration, HealthCheck, HealthCheckPort, HealthCheckProtocol, HttpAttributes, Kind, Listener,
    LoadBalancer, LogFormat, OutlierDetection, Protocol, ProtocolVersion, ProxyLog, Target, TargetGroup,
    TargetGroupAttributes,
};
use resources::ecs::{ConnectAccessLog, ConnectEndpoint, ConnectIngress, ConnectProtocol, Task};
use std::net::{IpAddr, Ipv4Addr};

/// How long a connection to a task may take to be made, in milliseconds.
const CONNECT_MILLIS: u32 = 1_000;
/// Seconds that never pass: ten years.
const FOR_EVER: u32 = 10 * 365 * 24 * 3_600;

/// The name of an endpoint in configurations and reports.
pub(super) fn endpoint_name(endpoint: &ConnectEndpoint) -> String {
    format!("egress/{}/{}:{}", endpoint.service, endpoint.dns_name, endpoint.port)
}

/// The configuration of a task's proxy: a listener for each endpoint that it reaches, and one for each port that it takes
/// connections at.
pub(super) fn configuration(task: &Task, behind: &Behind) -> Configuration {
    let mut configuration = Configuration::default();
    let Some(connect) = &task.connect else { return configuration };
    let addresses = connect.addresses();
    for endpoint in &connect.endpoints {
        let Some(address) = addresses.get(endpoint.dns_name.as_str()) else { continue };
        Door {
            name: endpoint_name(endpoint),
            address: *address,
            port: endpoint.port,
            protocol: endpoint.protocol,
            idle_timeout: endpoint.idle_timeout,
            request_timeout: endpoint.request_timeout,
            outlier_detection: Some(OutlierDetection::default()),
            ways: Ways::to(task, endpoint, behind),
        }
        .add_to(&mut configuration);
    }
    for ingress in &connect.ingress {
        let Some(interface) = &task.network_interface else { continue };
        door_of(ingress, interface.address).add_to(&mut configuration);
    }
    let log = connect.logs.as_ref().and_then(|logs| logs.access).map(proxy_log);
    for door in &mut configuration.load_balancers {
        door.proxy_log = log;
    }
    configuration
}

fn proxy_log(own: ConnectAccessLog) -> ProxyLog {
    let format = if own.json { LogFormat::Json } else { LogFormat::Text };
    ProxyLog { format, with_queries: own.with_queries == Some(true) }
}

fn door_of(ingress: &ConnectIngress, address: Ipv4Addr) -> Door {
    let own = Target {
        id: "container".to_owned(),
        address: IpAddr::from(Ipv4Addr::LOCALHOST),
        port: ingress.container_port,
        draining_since: None,
    };
    let name = format!("ingress/{}/{}", ingress.discovery_name, ingress.listen);
    Door {
        ways: Ways::to_one(name.clone(), vec![own]),
        name,
        address,
        port: ingress.listen,
        protocol: ingress.protocol,
        idle_timeout: ingress.idle_timeout,
        request_timeout: ingress.request_timeout,
        // There is no other.
        outlier_detection: None,
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
    ways: Ways,
}

impl Door {
    fn add_to(self, configuration: &mut Configuration) {
        let is_http = self.protocol.is_http();
        let protocol = if is_http { Protocol::Http } else { Protocol::Tcp };
        let idle = self.idle_timeout.unwrap_or(FOR_EVER);
        let listener = Listener {
            tcp_idle_timeout_seconds: idle,
            // What is no HTTP has no headers.
            rules: self.ways.test.into_iter().filter(|_| is_http).collect(),
            ..Listener::new(self.name.clone(), protocol, self.port, self.ways.production)
        };
        configuration.load_balancers.push(LoadBalancer {
            arn: self.name,
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
            proxy_log: None,
        });
        let (outlier_detection, request_timeout_seconds) = (self.outlier_detection, self.request_timeout);
        let version = match self.protocol {
            ConnectProtocol::Tcp | ConnectProtocol::Http => ProtocolVersion::Http1,
            ConnectProtocol::Http2 => ProtocolVersion::Http2,
            ConnectProtocol::Grpc => ProtocolVersion::Grpc,
        };
        configuration.target_groups.extend(self.ways.groups.into_iter().map(|(arn, targets)| TargetGroup {
            arn,
            protocol,
            protocol_version: version,
            health_check: unchecked(),
            attributes: TargetGroupAttributes {
                outlier_detection,
                connect_timeout_millis: Some(CONNECT_MILLIS),
                request_timeout_seconds,
                ..TargetGroupAttributes::default()
            },
            source: None,
            targets,
        }));
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
