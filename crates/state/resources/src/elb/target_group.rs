//! Target groups.

use super::{TARGET_GROUP, Tags, account_and_rest};
use crate::Stored;
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Targets of one kind, and how they are reached and checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetGroup {
    /// Owner.
    pub account: AccountId,
    /// Name, unique in the account.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// What is spoken to the targets.
    pub protocol: Protocol,
    /// Version of HTTP, of HTTP and HTTPS.
    pub protocol_version: Option<ProtocolVersion>,
    /// Port of targets that are registered without one.
    pub port: u16,
    /// Its VPC.
    pub vpc: String,
    /// What its targets are named by.
    #[serde(default)]
    pub target_type: TargetType,
    /// How targets are checked.
    pub health_check: HealthCheck,
    /// Attributes that differ from the default.
    pub attributes: BTreeMap<String, String>,
    /// Tags.
    pub tags: Tags,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What targets are named by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TargetType {
    /// Their addresses.
    #[default]
    Ip,
    /// Ids of EC2 instances. A region without instances has groups of them all the same, which stay empty.
    Instance,
}

/// Protocols of listeners, target groups and health checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protocol {
    /// HTTP.
    Http,
    /// HTTP in TLS.
    Https,
    /// TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// UDP.
    Udp,
    /// TCP and UDP on the same port.
    TcpUdp,
}

/// Version of HTTP that targets speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProtocolVersion {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
    /// gRPC.
    Grpc,
}

/// How targets are checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// Whether they are.
    pub enabled: bool,
    /// What is spoken: HTTP, HTTPS or TCP.
    pub protocol: Protocol,
    /// `traffic-port`, or a port.
    pub port: String,
    /// Path, of HTTP and HTTPS.
    pub path: Option<String>,
    /// Seconds from one check to the next.
    pub interval: u32,
    /// Seconds that an answer may take.
    pub timeout: u32,
    /// Successes in a row that make an unhealthy target healthy.
    pub healthy_threshold: u32,
    /// Failures in a row that make a target unhealthy.
    pub unhealthy_threshold: u32,
    /// Codes that are successes, of HTTP or, in a group of gRPC, of gRPC.
    pub matcher: Option<String>,
}

impl TargetType {
    /// As the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Instance => "instance",
        }
    }
}

impl Protocol {
    /// Every protocol.
    pub const ALL: [Self; 6] = [Self::Http, Self::Https, Self::Tcp, Self::Tls, Self::Udp, Self::TcpUdp];

    /// As the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::Https => "HTTPS",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Udp => "UDP",
            Self::TcpUdp => "TCP_UDP",
        }
    }

    /// Of application load balancers; the others are of network load balancers.
    pub const fn is_http(self) -> bool {
        matches!(self, Self::Http | Self::Https)
    }

    /// With certificates.
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::Https | Self::Tls)
    }
}

impl ProtocolVersion {
    /// As the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http1 => "HTTP1",
            Self::Http2 => "HTTP2",
            Self::Grpc => "GRPC",
        }
    }
}

impl TargetGroup {
    /// The key in an ARN of a target group. The row that has it may be of a later one with the same name.
    pub fn key_in(arn: &str) -> Option<String> {
        let (account, rest) = account_and_rest(arn, TARGET_GROUP)?;
        match rest[..] {
            [name, _] => Some(format!("{account}/{name}")),
            _ => None,
        }
    }

    /// The value of an attribute that was set.
    pub fn attribute(&self, key: &str) -> Option<&str> {
        self.attributes.get(key).map(String::as_str)
    }

    /// Seconds that a target which is deregistered has for the requests in progress.
    pub fn deregistration_delay(&self) -> u32 {
        let given = self.attribute("deregistration_delay.timeout_seconds").and_then(|text| text.parse().ok());
        given.unwrap_or(300)
    }
}

impl Stored for TargetGroup {
    const TABLE: &'static str = "elb/target-group";

    fn key(&self) -> String {
        format!("{}/{}", self.account, self.name)
    }
}
