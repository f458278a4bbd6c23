//! One file per operation.

pub(crate) mod authorize_security_group_egress;
pub(crate) mod authorize_security_group_ingress;
pub(crate) mod create_default_vpc;
pub(crate) mod create_network_interface;
pub(crate) mod create_security_group;
pub(crate) mod create_subnet;
pub(crate) mod create_tags;
pub(crate) mod create_vpc;
pub(crate) mod delete_network_interface;
pub(crate) mod delete_security_group;
pub(crate) mod delete_subnet;
pub(crate) mod delete_tags;
pub(crate) mod delete_vpc;
pub(crate) mod describe_account_attributes;
pub(crate) mod describe_availability_zones;
pub(crate) mod describe_internet_gateways;
pub(crate) mod describe_network_interfaces;
pub(crate) mod describe_regions;
pub(crate) mod describe_route_tables;
pub(crate) mod describe_security_group_rules;
pub(crate) mod describe_security_groups;
pub(crate) mod describe_subnets;
pub(crate) mod describe_tags;
pub(crate) mod describe_vpc_attribute;
pub(crate) mod describe_vpcs;
pub(crate) mod modify_subnet_attribute;
pub(crate) mod modify_vpc_attribute;
pub(crate) mod revoke_security_group_egress;
pub(crate) mod revoke_security_group_ingress;

#[cfg(test)]
mod tests;
