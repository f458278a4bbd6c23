//! Stored resources as answers have them, and their values for filters.

use crate::filters::Filtered;
use crate::rules;
use crate::shapes as wire;
use crate::tags::AllTags;
use crate::zones;
use aws_wire::RequestContext;
use resources::ec2::{
    InterfaceUse, NetworkInterface, SecurityGroup, SecurityGroupRule, Subnet, Vpc, private_dns_name,
};
use std::collections::HashMap;

/// What the interfaces of services are shown to be requested by.
const REQUESTER: &str = "longshore";

/// `arn:aws:ec2:us-east-1:123456789012:subnet/subnet-0123456789abcdef0`
pub(crate) fn arn(context: &RequestContext, kind: &str, id: &str) -> String {
    format!("arn:aws:ec2:{}:{}:{kind}/{id}", context.region, context.account)
}

pub(crate) fn vpc(context: &RequestContext, vpc: &Vpc, tags: &AllTags) -> wire::Vpc {
    let id = vpc.id.trim_start_matches("vpc-");
    wire::Vpc {
        cidr_block: Some(vpc.cidr.to_string()),
        cidr_block_association_set: Some(vec![wire::VpcCidrBlockAssociation {
            association_id: Some(format!("vpc-cidr-assoc-{id}")),
            cidr_block: Some(vpc.cidr.to_string()),
            cidr_block_state: Some(wire::VpcCidrBlockState {
                state: Some(wire::VpcCidrBlockStateCode::Associated),
                ..wire::VpcCidrBlockState::default()
            }),
        }]),
        dhcp_options_id: Some("default".to_owned()),
        instance_tenancy: Some(wire::Tenancy::Default),
        is_default: Some(vpc.is_default),
        owner_id: Some(context.account.to_string()),
        state: Some(wire::VpcState::Available),
        tags: Some(tags.of(&vpc.id)),
        vpc_id: Some(vpc.id.clone()),
        ..wire::Vpc::default()
    }
}

pub(crate) fn subnet(context: &RequestContext, subnet: &Subnet, free: u32, tags: &AllTags) -> wire::Subnet {
    wire::Subnet {
        assign_ipv6_address_on_creation: Some(false),
        availability_zone: Some(zones::name(&context.region, &subnet.zone)),
        availability_zone_id: Some(zones::id(&context.region, &subnet.zone)),
        available_ip_address_count: i32::try_from(free).ok(),
        cidr_block: Some(subnet.cidr.to_string()),
        default_for_az: Some(subnet.default_for_zone),
        enable_dns64: Some(false),
        ipv6_cidr_block_association_set: Some(vec![]),
        ipv6_native: Some(false),
        map_customer_owned_ip_on_launch: Some(false),
        map_public_ip_on_launch: Some(subnet.map_public_ip),
        owner_id: Some(context.account.to_string()),
        private_dns_name_options_on_launch: Some(wire::PrivateDnsNameOptionsOnLaunch {
            enable_resource_name_dns_a_record: Some(false),
            enable_resource_name_dns_aaaa_record: Some(false),
            hostname_type: Some(wire::HostnameType::IpName),
        }),
        state: Some(wire::SubnetState::Available),
        subnet_arn: Some(arn(context, "subnet", &subnet.id)),
        subnet_id: Some(subnet.id.clone()),
        tags: Some(tags.of(&subnet.id)),
        vpc_id: Some(subnet.vpc.clone()),
        ..wire::Subnet::default()
    }
}

pub(crate) fn group(context: &RequestContext, group: &SecurityGroup, tags: &AllTags) -> wire::SecurityGroup {
    wire::SecurityGroup {
        description: Some(group.description.clone()),
        group_id: Some(group.id.clone()),
        group_name: Some(group.name.clone()),
        ip_permissions: Some(rules::permissions(context, group, false)),
        ip_permissions_egress: Some(rules::permissions(context, group, true)),
        owner_id: Some(context.account.to_string()),
        security_group_arn: Some(arn(context, "security-group", &group.id)),
        tags: Some(tags.of(&group.id)),
        vpc_id: Some(group.vpc.clone()),
    }
}

pub(crate) fn rule(
    context: &RequestContext,
    group: &SecurityGroup,
    rule: &SecurityGroupRule,
    tags: &AllTags,
) -> wire::SecurityGroupRule {
    let (protocol, from, to) = rules::numbers(rule.protocol);
    let (range, range6, peer) = rules::peer(&rule.peer);
    wire::SecurityGroupRule {
        cidr_ipv4: range,
        cidr_ipv6: range6,
        description: rule.description.clone(),
        // Rules show all ports as -1, groups leave them out.
        from_port: Some(from.unwrap_or(-1)),
        to_port: Some(to.unwrap_or(-1)),
        group_id: Some(group.id.clone()),
        group_owner_id: Some(context.account.to_string()),
        ip_protocol: Some(protocol),
        is_egress: Some(rule.egress),
        referenced_group_info: peer.map(|id| wire::ReferencedSecurityGroup {
            group_id: Some(id),
            user_id: Some(context.account.to_string()),
            ..wire::ReferencedSecurityGroup::default()
        }),
        security_group_rule_arn: Some(arn(context, "security-group-rule", &rule.id)),
        security_group_rule_id: Some(rule.id.clone()),
        tags: Some(tags.of(&rule.id)),
        ..wire::SecurityGroupRule::default()
    }
}

/// `names` are those of security groups by id.
pub(crate) fn interface(
    context: &RequestContext,
    own: &NetworkInterface,
    names: &HashMap<String, String>,
    tags: &AllTags,
) -> wire::NetworkInterface {
    let name = private_dns_name(&context.region, own.address);
    let groups = own.groups.iter().map(|id| wire::GroupIdentifier {
        group_id: Some(id.clone()),
        group_name: Some(names.get(id).cloned().unwrap_or_default()),
    });
    let is_own = own.used_by == InterfaceUse::Nobody;
    let (kind, description) = match &own.used_by {
        InterfaceUse::Task { attachment, .. } => (
            wire::NetworkInterfaceType::Interface,
            format!("arn:aws:ecs:{}:{}:attachment/{attachment}", context.region, context.account),
        ),
        InterfaceUse::LoadBalancer { arn } if arn.contains("/net/") => {
            (wire::NetworkInterfaceType::NetworkLoadBalancer, own.description.clone())
        }
        InterfaceUse::Nobody | InterfaceUse::LoadBalancer { .. } => {
            (wire::NetworkInterfaceType::Interface, own.description.clone())
        }
    };
    wire::NetworkInterface {
        attachment: (!is_own).then(|| wire::NetworkInterfaceAttachment {
            attach_time: Some(own.created_at),
            attachment_id: Some(own.id.replacen("eni-", "eni-attach-", 1)),
            delete_on_termination: Some(false),
            device_index: Some(1),
            instance_owner_id: Some(REQUESTER.to_owned()),
            status: Some(wire::AttachmentStatus::Attached),
            ..wire::NetworkInterfaceAttachment::default()
        }),
        availability_zone: Some(zones::name(&context.region, &own.zone)),
        availability_zone_id: Some(zones::id(&context.region, &own.zone)),
        description: Some(description),
        groups: Some(groups.collect()),
        interface_type: Some(kind),
        ipv6_addresses: Some(vec![]),
        mac_address: Some(own.mac.clone()),
        network_interface_id: Some(own.id.clone()),
        owner_id: Some(context.account.to_string()),
        private_dns_name: Some(name.clone()),
        private_ip_address: Some(own.address.to_string()),
        private_ip_addresses: Some(vec![wire::NetworkInterfacePrivateIpAddress {
            primary: Some(true),
            private_dns_name: Some(name),
            private_ip_address: Some(own.address.to_string()),
            ..wire::NetworkInterfacePrivateIpAddress::default()
        }]),
        requester_id: (!is_own).then(|| REQUESTER.to_owned()),
        requester_managed: Some(!is_own),
        source_dest_check: Some(true),
        status: Some(if is_own {
            wire::NetworkInterfaceStatus::Available
        } else {
            wire::NetworkInterfaceStatus::InUse
        }),
        subnet_id: Some(own.subnet.clone()),
        tag_set: Some(tags.of(&own.id)),
        vpc_id: Some(own.vpc.clone()),
        ..wire::NetworkInterface::default()
    }
}

/// The main route table of a VPC, the only one it has.
pub(crate) fn route_table(context: &RequestContext, vpc: &Vpc, tags: &AllTags) -> wire::RouteTable {
    let route = |to: String, gateway: &str, origin| wire::Route {
        destination_cidr_block: Some(to),
        gateway_id: Some(gateway.to_owned()),
        origin: Some(origin),
        state: Some(wire::RouteState::Active),
        ..wire::Route::default()
    };
    let mut routes = vec![route(vpc.cidr.to_string(), "local", wire::RouteOrigin::CreateRouteTable)];
    routes.extend(
        vpc.internet_gateway
            .as_ref()
            .map(|gateway| route("0.0.0.0/0".to_owned(), gateway, wire::RouteOrigin::CreateRoute)),
    );
    wire::RouteTable {
        associations: Some(vec![wire::RouteTableAssociation {
            association_state: Some(wire::RouteTableAssociationState {
                state: Some(wire::RouteTableAssociationStateCode::Associated),
                ..wire::RouteTableAssociationState::default()
            }),
            main: Some(true),
            route_table_association_id: Some(vpc.route_table.replacen("rtb-", "rtbassoc-", 1)),
            route_table_id: Some(vpc.route_table.clone()),
            ..wire::RouteTableAssociation::default()
        }]),
        owner_id: Some(context.account.to_string()),
        propagating_vgws: Some(vec![]),
        route_table_id: Some(vpc.route_table.clone()),
        routes: Some(routes),
        tags: Some(tags.of(&vpc.route_table)),
        vpc_id: Some(vpc.id.clone()),
    }
}

/// The way out of a VPC, where it has one.
pub(crate) fn internet_gateway(
    context: &RequestContext,
    vpc: &Vpc,
    tags: &AllTags,
) -> Option<wire::InternetGateway> {
    let id = vpc.internet_gateway.as_ref()?;
    Some(wire::InternetGateway {
        attachments: Some(vec![wire::InternetGatewayAttachment {
            // EC2 says so of gateways, whatever its model says.
            state: Some(wire::AttachmentStatus::Attached),
            vpc_id: Some(vpc.id.clone()),
        }]),
        internet_gateway_id: Some(id.clone()),
        owner_id: Some(context.account.to_string()),
        tags: Some(tags.of(id)),
    })
}

fn one(value: Option<&String>) -> Vec<String> {
    value.into_iter().cloned().collect()
}

fn truth(value: Option<bool>) -> Vec<String> {
    vec![value.unwrap_or_default().to_string()]
}

fn word(value: Option<&'static str>) -> Vec<String> {
    value.into_iter().map(str::to_owned).collect()
}

fn tags_of(tags: Option<&Vec<wire::Tag>>) -> &[wire::Tag] {
    tags.map_or(&[], Vec::as_slice)
}

impl Filtered for wire::Vpc {
    fn values(&self, filter: &str) -> Option<Vec<String>> {
        Some(match filter {
            "cidr" | "cidr-block" | "cidrBlock" | "cidr-block-association.cidr-block" => {
                one(self.cidr_block.as_ref())
            }
            "cidr-block-association.association-id" => {
                let all = self.cidr_block_association_set.iter().flatten();
                all.filter_map(|own| own.association_id.clone()).collect()
            }
            "cidr-block-association.state" => word(Some("associated")),
            "dhcp-options-id" | "dhcpOptionsId" => one(self.dhcp_options_id.as_ref()),
            "is-default" | "isDefault" => truth(self.is_default),
            "owner-id" => one(self.owner_id.as_ref()),
            "state" => word(self.state.map(wire::VpcState::as_str)),
            "vpc-id" => one(self.vpc_id.as_ref()),
            "ipv6-cidr-block-association.association-id"
            | "ipv6-cidr-block-association.ipv6-cidr-block"
            | "ipv6-cidr-block-association.ipv6-pool"
            | "ipv6-cidr-block-association.state" => vec![],
            _ => return None,
        })
    }

    fn tags(&self) -> &[wire::Tag] {
        tags_of(self.tags.as_ref())
    }
}

impl Filtered for wire::Subnet {
    fn values(&self, filter: &str) -> Option<Vec<String>> {
        Some(match filter {
            "availability-zone" | "availabilityZone" => one(self.availability_zone.as_ref()),
            "availability-zone-id" | "availabilityZoneId" => one(self.availability_zone_id.as_ref()),
            "available-ip-address-count" => {
                self.available_ip_address_count.iter().map(ToString::to_string).collect()
            }
            "cidr" | "cidr-block" | "cidrBlock" => one(self.cidr_block.as_ref()),
            "default-for-az" | "defaultForAz" => truth(self.default_for_az),
            "enable-dns64" | "ipv6-native" | "map-customer-owned-ip-on-launch" => truth(Some(false)),
            "map-public-ip-on-launch" => truth(self.map_public_ip_on_launch),
            "owner-id" => one(self.owner_id.as_ref()),
            "state" => word(self.state.map(wire::SubnetState::as_str)),
            "subnet-arn" => one(self.subnet_arn.as_ref()),
            "subnet-id" => one(self.subnet_id.as_ref()),
            "vpc-id" => one(self.vpc_id.as_ref()),
            "ipv6-cidr-block-association.association-id"
            | "ipv6-cidr-block-association.ipv6-cidr-block"
            | "ipv6-cidr-block-association.state"
            | "outpost-arn"
            | "customer-owned-ipv4-pool" => vec![],
            _ => return None,
        })
    }

    fn tags(&self) -> &[wire::Tag] {
        tags_of(self.tags.as_ref())
    }
}

impl Filtered for wire::SecurityGroup {
    fn values(&self, filter: &str) -> Option<Vec<String>> {
        let (egress, name) = match filter.strip_prefix("egress.ip-permission.") {
            Some(name) => (true, name),
            None => (false, filter.strip_prefix("ip-permission.").unwrap_or_default()),
        };
        if !name.is_empty() {
            let all = if egress { &self.ip_permissions_egress } else { &self.ip_permissions };
            return rules::values(all.as_deref().unwrap_or_default(), name);
        }
        Some(match filter {
            "description" => one(self.description.as_ref()),
            "group-id" => one(self.group_id.as_ref()),
            "group-name" => one(self.group_name.as_ref()),
            "owner-id" => one(self.owner_id.as_ref()),
            "vpc-id" => one(self.vpc_id.as_ref()),
            _ => return None,
        })
    }

    fn tags(&self) -> &[wire::Tag] {
        tags_of(self.tags.as_ref())
    }
}

impl Filtered for wire::SecurityGroupRule {
    fn values(&self, filter: &str) -> Option<Vec<String>> {
        Some(match filter {
            "group-id" => one(self.group_id.as_ref()),
            "security-group-rule-id" => one(self.security_group_rule_id.as_ref()),
            _ => return None,
        })
    }

    fn tags(&self) -> &[wire::Tag] {
        tags_of(self.tags.as_ref())
    }
}

impl Filtered for wire::NetworkInterface {
    fn values(&self, filter: &str) -> Option<Vec<String>> {
        let attachment = self.attachment.as_ref();
        Some(match filter {
            "addresses.private-ip-address" | "private-ip-address" => one(self.private_ip_address.as_ref()),
            "addresses.primary" => truth(Some(true)),
            "attachment.attachment-id" => one(attachment.and_then(|own| own.attachment_id.as_ref())),
            "attachment.device-index" => {
                attachment.and_then(|own| own.device_index).iter().map(ToString::to_string).collect()
            }
            "attachment.instance-owner-id" => one(attachment.and_then(|own| own.instance_owner_id.as_ref())),
            "attachment.status" => word(attachment.and(Some("attached"))),
            "availability-zone" => one(self.availability_zone.as_ref()),
            "availability-zone-id" => one(self.availability_zone_id.as_ref()),
            "description" => one(self.description.as_ref()),
            "group-id" => self.groups.iter().flatten().filter_map(|own| own.group_id.clone()).collect(),
            "group-name" => self.groups.iter().flatten().filter_map(|own| own.group_name.clone()).collect(),
            "interface-type" => word(self.interface_type.map(wire::NetworkInterfaceType::as_str)),
            "mac-address" => one(self.mac_address.as_ref()),
            "network-interface-id" => one(self.network_interface_id.as_ref()),
            "owner-id" => one(self.owner_id.as_ref()),
            "private-dns-name" => one(self.private_dns_name.as_ref()),
            "requester-id" => one(self.requester_id.as_ref()),
            "requester-managed" => truth(self.requester_managed),
            "source-dest-check" => truth(self.source_dest_check),
            "status" => word(self.status.map(wire::NetworkInterfaceStatus::as_str)),
            "subnet-id" => one(self.subnet_id.as_ref()),
            "vpc-id" => one(self.vpc_id.as_ref()),
            "addresses.association.public-ip"
            | "addresses.association.owner-id"
            | "association.association-id"
            | "association.public-ip"
            | "association.public-dns-name"
            | "attachment.instance-id"
            | "ipv6-addresses.ipv6-address" => vec![],
            _ => return None,
        })
    }

    fn tags(&self) -> &[wire::Tag] {
        tags_of(self.tag_set.as_ref())
    }
}

impl Filtered for wire::RouteTable {
    fn values(&self, filter: &str) -> Option<Vec<String>> {
        let routes = || self.routes.iter().flatten();
        Some(match filter {
            "association.main" => truth(Some(true)),
            "association.route-table-association-id" => {
                let all = self.associations.iter().flatten();
                all.filter_map(|own| own.route_table_association_id.clone()).collect()
            }
            "association.route-table-id" | "route-table-id" => one(self.route_table_id.as_ref()),
            "owner-id" => one(self.owner_id.as_ref()),
            "route.destination-cidr-block" => {
                routes().filter_map(|own| own.destination_cidr_block.clone()).collect()
            }
            "route.gateway-id" => routes().filter_map(|own| own.gateway_id.clone()).collect(),
            "route.state" => word(Some("active")),
            "vpc-id" => one(self.vpc_id.as_ref()),
            "association.subnet-id"
            | "association.gateway-id"
            | "route.nat-gateway-id"
            | "route.transit-gateway-id"
            | "route.vpc-peering-connection-id"
            | "route.instance-id" => vec![],
            _ => return None,
        })
    }

    fn tags(&self) -> &[wire::Tag] {
        tags_of(self.tags.as_ref())
    }
}

impl Filtered for wire::InternetGateway {
    fn values(&self, filter: &str) -> Option<Vec<String>> {
        Some(match filter {
            "attachment.state" => word(Some("attached")),
            "attachment.vpc-id" => {
                self.attachments.iter().flatten().filter_map(|own| own.vpc_id.clone()).collect()
            }
            "internet-gateway-id" => one(self.internet_gateway_id.as_ref()),
            "owner-id" => one(self.owner_id.as_ref()),
            _ => return None,
        })
    }

    fn tags(&self) -> &[wire::Tag] {
        tags_of(self.tags.as_ref())
    }
}

impl Filtered for wire::AvailabilityZone {
    fn values(&self, filter: &str) -> Option<Vec<String>> {
        Some(match filter {
            "group-name" => one(self.group_name.as_ref()),
            "opt-in-status" => word(self.opt_in_status.map(wire::AvailabilityZoneOptInStatus::as_str)),
            "region-name" => one(self.region_name.as_ref()),
            "state" => word(self.state.map(wire::AvailabilityZoneState::as_str)),
            "zone-id" => one(self.zone_id.as_ref()),
            "zone-name" => one(self.zone_name.as_ref()),
            "zone-type" => one(self.zone_type.as_ref()),
            "parent-zone-id" | "parent-zone-name" | "message" => vec![],
            _ => return None,
        })
    }

    fn tags(&self) -> &[wire::Tag] {
        &[]
    }
}

impl Filtered for wire::Region {
    fn values(&self, filter: &str) -> Option<Vec<String>> {
        Some(match filter {
            "endpoint" => one(self.endpoint.as_ref()),
            "opt-in-status" => one(self.opt_in_status.as_ref()),
            "region-name" => one(self.region_name.as_ref()),
            _ => return None,
        })
    }

    fn tags(&self) -> &[wire::Tag] {
        &[]
    }
}

impl Filtered for wire::TagDescription {
    fn values(&self, filter: &str) -> Option<Vec<String>> {
        Some(match filter {
            "key" => one(self.key.as_ref()),
            "resource-id" => one(self.resource_id.as_ref()),
            "resource-type" => word(self.resource_type.map(wire::ResourceType::as_str)),
            "value" => one(self.value.as_ref()),
            _ => return None,
        })
    }

    fn tags(&self) -> &[wire::Tag] {
        &[]
    }
}
