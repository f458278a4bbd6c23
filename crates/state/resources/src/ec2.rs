//! EC2: virtual private clouds, their subnets and security groups, and the network interfaces in them.
//!
//! All VPCs of a region share the addresses of its host, so an address is used once in the whole region.

mod network_interface;
mod security_group;
mod tags;
mod vpc;

pub use network_interface::{Address, InterfaceUse, NetworkInterface, private_dns_name};
pub use security_group::{Peer, PortRange, Protocol, SecurityGroup, SecurityGroupRule};
pub use tags::ResourceTags;
pub use vpc::{AccountNetwork, Subnet, TakenRanges, Vpc};
