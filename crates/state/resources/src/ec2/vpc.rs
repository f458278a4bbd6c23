//! VPCs and subnets.

use crate::Stored;
use environment::Timestamp;
use identifiers::AccountId;
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

/// A virtual private cloud, with what is made and goes together with it: its main route table and the way out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vpc {
    /// Owner.
    pub account: AccountId,
    /// `vpc-` and 17 hexadecimal digits.
    pub id: String,
    /// Its addresses.
    pub cidr: Ipv4Net,
    /// Whether it is the default VPC of its account.
    pub is_default: bool,
    /// Id of its default security group.
    pub default_group: String,
    /// Id of its main route table, `rtb-...`.
    pub route_table: String,
    /// Id of its internet gateway, `igw-...`. Without one, nothing in it reaches the outside.
    pub internet_gateway: Option<String>,
    /// Whether names are resolved for it.
    pub dns_support: bool,
    /// Whether its interfaces have public names.
    pub dns_hostnames: bool,
    /// Whether usage of its addresses is measured.
    pub address_metrics: bool,
    /// It is being deleted: nothing new is made in it.
    #[serde(default)]
    pub closing: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A part of a VPC in one availability zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subnet {
    /// Owner.
    pub account: AccountId,
    /// `subnet-` and 17 hexadecimal digits.
    pub id: String,
    /// Its VPC.
    pub vpc: String,
    /// Its addresses.
    pub cidr: Ipv4Net,
    /// Letter of its zone, which follows the region's name: `a`, `b` or `c`.
    pub zone: String,
    /// Whether it is the default subnet of its zone.
    pub default_for_zone: bool,
    /// Whether instances would get public addresses.
    pub map_public_ip: bool,
    /// It is being deleted: no interface is made in it.
    #[serde(default)]
    pub closing: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// That the default VPC of an account was made, so that it is not made again when its owner has deleted it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountNetwork {
    /// The account.
    pub account: AccountId,
}

/// The ranges of all VPCs of the region that are not default ones. One row, written with every VPC that comes or goes,
/// so that no two of them overlap.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TakenRanges {
    /// Each with the key of its VPC.
    pub ranges: Vec<(Ipv4Net, String)>,
}

impl Stored for Vpc {
    const TABLE: &'static str = "ec2/vpc";

    fn key(&self) -> String {
        format!("{}/{}", self.account, self.id)
    }
}

impl Stored for Subnet {
    const TABLE: &'static str = "ec2/subnet";

    fn key(&self) -> String {
        format!("{}/{}", self.account, self.id)
    }
}

impl Stored for AccountNetwork {
    const TABLE: &'static str = "ec2/account";

    fn key(&self) -> String {
        self.account.to_string()
    }
}

impl Stored for TakenRanges {
    const TABLE: &'static str = "ec2/ranges";

    fn key(&self) -> String {
        Self::KEY.to_owned()
    }
}

impl TakenRanges {
    /// The key of the one row.
    pub const KEY: &'static str = "region";
}

impl Subnet {
    /// Addresses that nothing gets: the network's, the router's, two that AWS keeps, and the last one.
    pub const RESERVED: u32 = 5;

    /// Address of the way out, the first after the network's.
    pub fn gateway(&self) -> std::net::Ipv4Addr {
        std::net::Ipv4Addr::from_bits(self.cidr.network().to_bits() | 1)
    }

    /// The addresses that interfaces may have.
    pub fn addresses(&self) -> std::ops::RangeInclusive<u32> {
        self.cidr.network().to_bits() + 4..=self.cidr.broadcast().to_bits() - 1
    }

    /// How many addresses interfaces may have.
    pub fn size(&self) -> u32 {
        (1_u32 << (32 - u32::from(self.cidr.prefix_len()))) - Self::RESERVED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_addresses_of_a_subnet_are_not_given() {
        let subnet = Subnet {
            account: "123456789012".parse().expect("an account"),
            id: "subnet-1".to_owned(),
            vpc: "vpc-1".to_owned(),
            cidr: "10.88.16.0/28".parse().expect("a range"),
            zone: "a".to_owned(),
            default_for_zone: true,
            map_public_ip: true,
            closing: false,
            created_at: Timestamp::default(),
        };
        assert_eq!(subnet.size(), 11);
        assert_eq!(subnet.addresses().count(), 11);
        assert_eq!(subnet.gateway().to_string(), "10.88.16.1");
        let text = serde_json::to_string(&subnet).expect("writes");
        assert_eq!(serde_json::from_str::<Subnet>(&text).expect("reads"), subnet);
    }
}
