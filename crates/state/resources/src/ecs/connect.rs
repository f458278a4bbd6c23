//! Service Connect: what a service offers in a namespace, and what the proxies of its tasks know.
//!
//! The endpoints of a namespace are those that its services offer. A deployment takes them down as they are when it begins, and
//! its tasks know these and no others, as on AWS; which tasks are behind an endpoint is told to their proxies all the time.

use super::{LogConfiguration, Service};
use identifiers::AccountId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// Seconds without a byte after which a connection that speaks HTTP is closed, when a service does not say.
const USUAL_HTTP_IDLE: u32 = 300;
/// The same for other connections.
const USUAL_TCP_IDLE: u32 = 3_600;
/// Seconds that an answer may take when a service does not say.
const USUAL_REQUEST: u32 = 15;
/// The header of test traffic when a service does not say.
const USUAL_TEST_HEADER: &str = "x-amzn-ecs-blue-green-test";

/// The Service Connect configuration of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceConnect {
    /// Id of its namespace.
    pub namespace: String,
    /// Name of its namespace.
    pub namespace_name: String,
    /// The namespace as it was given, by name or ARN.
    pub given: String,
    /// What it offers; a service that is a client only offers nothing.
    pub services: Vec<ConnectService>,
    /// Where it goes what the proxies of its tasks tell, if anywhere.
    #[serde(default)]
    pub logs: Option<ConnectLogs>,
}

/// Where it goes what a proxy tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectLogs {
    /// The driver and its options.
    pub configuration: LogConfiguration,
    /// How requests and connections are told, if they are.
    pub access: Option<ConnectAccessLog>,
}

/// How a proxy tells requests and connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectAccessLog {
    /// As objects of JSON; otherwise as texts.
    pub json: bool,
    /// Whether with the queries of requests, as given.
    pub with_queries: Option<bool>,
}

/// A port that a service offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectService {
    /// Name of the port in the task definition.
    pub port_name: String,
    /// Name in the namespace, as given.
    pub discovery_name: Option<String>,
    /// Id of the service of Cloud Map.
    pub service: String,
    /// Names and ports of its endpoint, as given.
    pub aliases: Vec<ClientAlias>,
    /// Port at which the proxies of its tasks take connections, as given.
    pub ingress_port: Option<u16>,
    /// `idleTimeoutSeconds` as given; 0 is for ever.
    pub idle_timeout: Option<u32>,
    /// `perRequestTimeoutSeconds` as given; 0 is for ever.
    pub request_timeout: Option<u32>,
    /// The port of the container.
    pub container_port: u16,
    /// What is spoken there.
    pub protocol: ConnectProtocol,
}

/// A name and a port that clients use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientAlias {
    /// The name; without one it is `DISCOVERY-NAME.NAMESPACE`.
    pub dns_name: Option<String>,
    /// The port.
    pub port: u16,
    /// Which requests are test traffic, as given.
    #[serde(default)]
    pub test: Option<TestHeader>,
}

/// What tells the requests that test the revision that comes from all others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestHeader {
    /// The header that they have.
    pub name: String,
    /// Its value; without one any will do.
    pub value: Option<String>,
}

/// `appProtocol` of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConnectProtocol {
    /// None is told: TCP.
    Tcp,
    /// HTTP/1.1.
    Http,
    /// HTTP/2.
    Http2,
    /// gRPC.
    Grpc,
}

/// What the proxy of a task does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskConnect {
    /// What the task reaches.
    pub endpoints: Vec<ConnectEndpoint>,
    /// What it offers at other ports than those of its containers.
    pub ingress: Vec<ConnectIngress>,
    /// Where it goes what the proxy tells, if anywhere.
    #[serde(default)]
    pub logs: Option<ConnectLogs>,
}

/// An endpoint of a namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectEndpoint {
    /// Id of the service of Cloud Map, whose instances are behind it.
    pub service: String,
    /// Name of that service.
    pub discovery_name: String,
    /// Name for clients.
    pub dns_name: String,
    /// Port for clients.
    pub port: u16,
    /// What is spoken.
    pub protocol: ConnectProtocol,
    /// Seconds without a byte after which connections are closed; `None` for ever.
    pub idle_timeout: Option<u32>,
    /// Seconds for a whole answer; `None` for ever.
    pub request_timeout: Option<u32>,
    /// Cluster of the service that offers it.
    pub cluster: String,
    /// Name of the service that offers it.
    pub offered_by: String,
}

/// A port of a task that its proxy takes connections at, for one of its containers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectIngress {
    /// Name of the service of Cloud Map.
    pub discovery_name: String,
    /// Port of the proxy.
    pub listen: u16,
    /// Port of the container.
    pub container_port: u16,
    /// What is spoken.
    pub protocol: ConnectProtocol,
    /// As with [`ConnectEndpoint::idle_timeout`].
    pub idle_timeout: Option<u32>,
    /// As with [`ConnectEndpoint::request_timeout`].
    pub request_timeout: Option<u32>,
}

impl Default for TestHeader {
    fn default() -> Self {
        Self { name: USUAL_TEST_HEADER.to_owned(), value: None }
    }
}

impl ConnectEndpoint {
    /// Key of the service that offers it.
    pub fn offered_by_key(&self, account: &AccountId) -> String {
        format!("{account}/{}/{}", self.cluster, self.offered_by)
    }
}

impl ConnectProtocol {
    /// Reads `appProtocol`.
    pub fn of(app_protocol: Option<&str>) -> Self {
        match app_protocol {
            Some("http") => Self::Http,
            Some("http2") => Self::Http2,
            Some("grpc") => Self::Grpc,
            _ => Self::Tcp,
        }
    }

    /// Whether its messages are those of HTTP.
    pub const fn is_http(self) -> bool {
        match self {
            Self::Tcp => false,
            Self::Http | Self::Http2 | Self::Grpc => true,
        }
    }
}

impl ConnectService {
    /// Its name in the namespace.
    pub fn name(&self) -> &str {
        self.discovery_name.as_deref().unwrap_or(&self.port_name)
    }

    /// The port at which its tasks are reached.
    pub fn reached_at(&self) -> u16 {
        self.ingress_port.unwrap_or(self.container_port)
    }

    fn idle(&self) -> Option<u32> {
        let usual = if self.protocol.is_http() { USUAL_HTTP_IDLE } else { USUAL_TCP_IDLE };
        Some(self.idle_timeout.unwrap_or(usual)).filter(|seconds| *seconds > 0)
    }

    fn request(&self) -> Option<u32> {
        let given = self.request_timeout.unwrap_or(USUAL_REQUEST);
        Some(given).filter(|seconds| *seconds > 0 && self.protocol.is_http())
    }
}

impl ServiceConnect {
    /// The endpoints that a service offers by this configuration.
    pub fn endpoints(&self, service: &Service) -> Vec<ConnectEndpoint> {
        let mut endpoints = Vec::new();
        for own in &self.services {
            // Without an alias clients use the port of the container.
            let usual = [ClientAlias { dns_name: None, port: own.container_port, test: None }];
            let aliases = if own.aliases.is_empty() { &usual[..] } else { &own.aliases };
            endpoints.extend(aliases.iter().map(|alias| ConnectEndpoint {
                service: own.service.clone(),
                discovery_name: own.name().to_owned(),
                dns_name: match &alias.dns_name {
                    Some(name) => name.clone(),
                    None => format!("{}.{}", own.name(), self.namespace_name),
                },
                port: alias.port,
                protocol: own.protocol,
                idle_timeout: own.idle(),
                request_timeout: own.request(),
                cluster: service.cluster.clone(),
                offered_by: service.name.clone(),
            }));
        }
        endpoints
    }

    /// What the proxies of its tasks take connections for.
    pub fn ingress(&self) -> Vec<ConnectIngress> {
        let ingress = self.services.iter().filter_map(|own| {
            Some(ConnectIngress {
                discovery_name: own.name().to_owned(),
                listen: own.ingress_port?,
                container_port: own.container_port,
                protocol: own.protocol,
                idle_timeout: own.idle(),
                request_timeout: own.request(),
            })
        });
        ingress.collect()
    }
}

impl TaskConnect {
    /// The address inside of the task that each name stands for, one after the other from 127.255.0.1 on.
    pub fn addresses(&self) -> BTreeMap<&str, Ipv4Addr> {
        let mut names: Vec<&str> = self.endpoints.iter().map(|own| own.dns_name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let address = |index: usize| {
            let [high, low] = u16::try_from(index + 1).unwrap_or(u16::MAX).to_be_bytes();
            Ipv4Addr::new(127, 255, high, low)
        };
        names.into_iter().enumerate().map(|(index, name)| (name, address(index))).collect()
    }
}

impl Service {
    /// Whether a deployment or a rollback offers this service of Cloud Map, or would bring it back.
    pub fn offers(&self, discovery_service: &str) -> bool {
        let completed = self.last_completed.iter().map(|own| &own.workload);
        let workloads = self.deployments.iter().map(|own| &own.workload).chain(completed);
        let mut services = workloads.filter_map(|own| own.connect.as_ref()).flat_map(|own| &own.services);
        services.any(|own| own.service == discovery_service)
    }

    /// What tells test traffic from other traffic at an endpoint that it offers: what the revision that comes says.
    pub fn test_header(&self, endpoint: &ConnectEndpoint) -> TestHeader {
        let green = self.lifecycle.as_ref().map(|lifecycle| &lifecycle.green);
        let green = self.deployments.iter().find(|own| Some(&own.id) == green).or_else(|| self.primary());
        let offered = green.and_then(|own| own.workload.connect.as_ref());
        let mut aliases = offered
            .into_iter()
            .flat_map(|own| &own.services)
            .filter(|own| own.service == endpoint.service)
            .flat_map(|own| &own.aliases);
        aliases.find(|own| own.port == endpoint.port).and_then(|own| own.test.clone()).unwrap_or_default()
    }
}
