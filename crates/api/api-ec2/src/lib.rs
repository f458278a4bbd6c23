//! The part of Amazon EC2 that tasks and load balancers live in: VPCs, subnets, security groups, network interfaces.
//!
//! Rows of the store only. What the rules of security groups let through is carried out by a controller and the
//! host's packet filter. There are no instances, so nothing here starts or attaches one.

mod errors;
mod filters;
mod ids;
mod operations;
mod paging;
mod permissions;
mod render;
mod rules;
mod security_groups;
pub mod shapes;
mod tags;
#[cfg(test)]
mod testing;
mod zones;

use aws_wire::{Node, Operation, Permission, RequestContext, ServiceError};
use ipnet::Ipv4Net;
use operations as op;
#[allow(
    clippy::wildcard_imports,
    reason = "the macro below names an input and an output for every operation"
)]
use shapes::*;
use std::sync::Arc;
use store::Tables;
use virtual_networks::VirtualNetworks;

/// Which addresses the machine itself uses already.
pub trait MachineNetworks: Send + Sync {
    /// A network that the machine reaches or is in, other than those of the region, which shares addresses with `range`.
    fn overlapping(&self, range: Ipv4Net) -> Option<Ipv4Net>;
}

/// The service.
pub struct Ec2Service {
    pub(crate) tables: Tables,
    pub(crate) networks: VirtualNetworks,
    pub(crate) machine: Arc<dyn MachineNetworks>,
}

impl Ec2Service {
    /// The service; VPCs may not overlap the networks of `machine`.
    pub fn new(tables: Tables, networks: VirtualNetworks, machine: Arc<dyn MachineNetworks>) -> Self {
        Self { tables, networks, machine }
    }

    /// Every account has its default network before it is looked at.
    async fn prepare(&self, context: &RequestContext) -> Result<(), ServiceError> {
        self.networks.ensure_default(&context.account).await.map_err(errors::store)
    }
}

/// One method per operation, all alike: hand over to the operation's own file.
macro_rules! operations {
    ($($name:ident, $input:ident => $output:ty;)*) => {
        #[async_trait::async_trait]
        impl Ec2 for Ec2Service {
            async fn permissions(
                &self,
                operation: &'static Operation,
                context: &RequestContext,
                input: &Node,
            ) -> Result<Vec<Permission>, ServiceError> {
                permissions::of(self, context, operation, input).await
            }

            $(async fn $name(&self, context: &RequestContext, input: $input) -> Result<$output, ServiceError> {
                self.prepare(context).await?;
                op::$name::run(self, context, input).await
            })*
        }
    };
}

operations! {
    authorize_security_group_egress, AuthorizeSecurityGroupEgressRequest => AuthorizeSecurityGroupEgressResult;
    authorize_security_group_ingress, AuthorizeSecurityGroupIngressRequest => AuthorizeSecurityGroupIngressResult;
    create_default_vpc, CreateDefaultVpcRequest => CreateDefaultVpcResult;
    create_network_interface, CreateNetworkInterfaceRequest => CreateNetworkInterfaceResult;
    create_security_group, CreateSecurityGroupRequest => CreateSecurityGroupResult;
    create_subnet, CreateSubnetRequest => CreateSubnetResult;
    create_tags, CreateTagsRequest => ();
    create_vpc, CreateVpcRequest => CreateVpcResult;
    delete_network_interface, DeleteNetworkInterfaceRequest => ();
    delete_security_group, DeleteSecurityGroupRequest => DeleteSecurityGroupResult;
    delete_subnet, DeleteSubnetRequest => ();
    delete_tags, DeleteTagsRequest => ();
    delete_vpc, DeleteVpcRequest => ();
    describe_account_attributes, DescribeAccountAttributesRequest => DescribeAccountAttributesResult;
    describe_availability_zones, DescribeAvailabilityZonesRequest => DescribeAvailabilityZonesResult;
    describe_internet_gateways, DescribeInternetGatewaysRequest => DescribeInternetGatewaysResult;
    describe_network_interfaces, DescribeNetworkInterfacesRequest => DescribeNetworkInterfacesResult;
    describe_regions, DescribeRegionsRequest => DescribeRegionsResult;
    describe_route_tables, DescribeRouteTablesRequest => DescribeRouteTablesResult;
    describe_security_group_rules, DescribeSecurityGroupRulesRequest => DescribeSecurityGroupRulesResult;
    describe_security_groups, DescribeSecurityGroupsRequest => DescribeSecurityGroupsResult;
    describe_subnets, DescribeSubnetsRequest => DescribeSubnetsResult;
    describe_tags, DescribeTagsRequest => DescribeTagsResult;
    describe_vpc_attribute, DescribeVpcAttributeRequest => DescribeVpcAttributeResult;
    describe_vpcs, DescribeVpcsRequest => DescribeVpcsResult;
    modify_subnet_attribute, ModifySubnetAttributeRequest => ();
    modify_vpc_attribute, ModifyVpcAttributeRequest => ();
    revoke_security_group_egress, RevokeSecurityGroupEgressRequest => RevokeSecurityGroupEgressResult;
    revoke_security_group_ingress, RevokeSecurityGroupIngressRequest => RevokeSecurityGroupIngressResult;
}
