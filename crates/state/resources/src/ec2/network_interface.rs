//! Network interfaces and addresses.

use crate::Stored;
use environment::Timestamp;
use identifiers::{AccountId, Region};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// An elastic network interface: an address in a subnet with security groups around it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkInterface {
    /// Owner.
    pub account: AccountId,
    /// `eni-` and 17 hexadecimal digits.
    pub id: String,
    /// Its subnet.
    pub subnet: String,
    /// The VPC of its subnet.
    pub vpc: String,
    /// Letter of the zone of its subnet.
    pub zone: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// Its hardware address.
    pub mac: String,
    /// Its security groups, at least one.
    pub groups: Vec<String>,
    /// What it is for, as told.
    pub description: String,
    /// Who uses it.
    pub used_by: InterfaceUse,
    /// The token of the request that made it, and a hash of what else it asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_token: Option<(String, String)>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Who uses a network interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InterfaceUse {
    /// Nobody; its owner made it and may delete it.
    Nobody,
    /// A task.
    Task {
        /// Key of the task.
        task: String,
        /// UUID of the attachment.
        attachment: String,
    },
    /// A load balancer.
    LoadBalancer {
        /// Its ARN.
        arn: String,
    },
}

/// An address in use. Made and deleted in the transaction that changes what uses it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Address {
    /// The address.
    pub address: Ipv4Addr,
    /// Key of the task that has it, or of the network interface where that is of no task.
    #[serde(rename = "task")]
    pub holder: String,
}

impl Stored for NetworkInterface {
    const TABLE: &'static str = "ec2/network-interface";

    fn key(&self) -> String {
        format!("{}/{}", self.account, self.id)
    }
}

impl Stored for Address {
    const TABLE: &'static str = "ecs/address";

    fn key(&self) -> String {
        self.address.to_string()
    }
}

impl NetworkInterface {
    /// What the row of its address calls its holder.
    pub fn holder(&self) -> String {
        match &self.used_by {
            InterfaceUse::Task { task, .. } => task.clone(),
            InterfaceUse::Nobody | InterfaceUse::LoadBalancer { .. } => self.key(),
        }
    }
}

/// The name of a private address: `ip-10-88-0-7.ec2.internal` in us-east-1.
pub fn private_dns_name(region: &Region, address: Ipv4Addr) -> String {
    let dashed = address.to_string().replace('.', "-");
    match region.as_str() {
        "us-east-1" => format!("ip-{dashed}.ec2.internal"),
        region => format!("ip-{dashed}.{region}.compute.internal"),
    }
}
