//! Networks through the operations, as a client makes and removes them.

use crate::shapes::*;
use crate::testing::{Fixture, code, fixture};

impl Fixture {
    async fn subnets(&self) -> Vec<Subnet> {
        let input = DescribeSubnetsRequest::default();
        let answer = self.service.describe_subnets(&self.context, input).await.expect("describes");
        answer.subnets.expect("subnets")
    }

    async fn groups(&self, filters: Vec<Filter>) -> Vec<SecurityGroup> {
        let input = DescribeSecurityGroupsRequest {
            filters: Some(filters),
            ..DescribeSecurityGroupsRequest::default()
        };
        let answer = self.service.describe_security_groups(&self.context, input).await.expect("describes");
        answer.security_groups.expect("groups")
    }

    async fn make_group(&self, name: &str) -> String {
        let input = CreateSecurityGroupRequest {
            group_name: name.into(),
            description: "of a test".into(),
            ..CreateSecurityGroupRequest::default()
        };
        let answer = self.service.create_security_group(&self.context, input).await.expect("creates");
        answer.group_id.expect("an id")
    }

    async fn make_vpc(&self, cidr: &str) -> Result<String, aws_wire::ServiceError> {
        let input = CreateVpcRequest { cidr_block: Some(cidr.into()), ..CreateVpcRequest::default() };
        let answer = self.service.create_vpc(&self.context, input).await?;
        Ok(answer.vpc.and_then(|vpc| vpc.vpc_id).expect("an id"))
    }

    async fn make_subnet(&self, vpc: &str, cidr: &str) -> Result<String, aws_wire::ServiceError> {
        let input = CreateSubnetRequest {
            vpc_id: vpc.into(),
            cidr_block: Some(cidr.into()),
            availability_zone: Some("us-east-1b".into()),
            ..CreateSubnetRequest::default()
        };
        let answer = self.service.create_subnet(&self.context, input).await?;
        Ok(answer.subnet.and_then(|subnet| subnet.subnet_id).expect("an id"))
    }

    async fn interface(
        &self,
        subnet: &str,
        groups: Vec<String>,
    ) -> Result<NetworkInterface, aws_wire::ServiceError> {
        let input = CreateNetworkInterfaceRequest {
            subnet_id: subnet.into(),
            groups: Some(groups),
            ..CreateNetworkInterfaceRequest::default()
        };
        let answer = self.service.create_network_interface(&self.context, input).await?;
        Ok(answer.network_interface.expect("an interface"))
    }
}

fn filter(name: &str, values: &[&str]) -> Filter {
    Filter { name: Some(name.into()), values: Some(values.iter().map(|value| (*value).to_owned()).collect()) }
}

fn tcp(port: i32, cidr: &str) -> IpPermission {
    IpPermission {
        from_port: Some(port),
        to_port: Some(port),
        ip_protocol: Some("tcp".into()),
        ip_ranges: Some(vec![IpRange { cidr_ip: Some(cidr.into()), ..IpRange::default() }]),
        ..IpPermission::default()
    }
}

#[tokio::test]
async fn an_account_has_its_default_network_at_once() {
    let f = fixture();
    let subnets = f.subnets().await;
    let zones: Vec<_> = subnets.iter().filter_map(|subnet| subnet.availability_zone.as_deref()).collect();
    assert_eq!(zones.len(), 3);
    assert!(subnets.iter().all(|subnet| subnet.available_ip_address_count == Some(4091)));
    let tables = f.service.describe_route_tables(&f.context, DescribeRouteTablesRequest::default()).await;
    let tables = tables.expect("describes").route_tables.expect("tables");
    assert_eq!(tables[0].routes.as_ref().map(Vec::len), Some(2));
    let gateways =
        f.service.describe_internet_gateways(&f.context, DescribeInternetGatewaysRequest::default());
    assert_eq!(gateways.await.expect("describes").internet_gateways.map(|all| all.len()), Some(1));
    let again = f.service.create_default_vpc(&f.context, CreateDefaultVpcRequest::default()).await;
    assert_eq!(code(again), "DefaultVpcAlreadyExists");
}

#[tokio::test]
async fn vpcs_overlap_neither_each_other_nor_the_machine() {
    let f = fixture();
    let vpc = f.make_vpc("10.1.0.5/20").await.expect("creates");
    for (cidr, expected) in [
        ("10.1.0.0/16", "InvalidVpcRange"),
        ("10.1.15.0/24", "InvalidVpcRange"),
        ("10.88.3.0/24", "InvalidVpcRange"),
        ("172.17.0.0/16", "InvalidVpcRange"),
        ("127.1.0.0/16", "InvalidVpcRange"),
        ("10.2.0.0/15", "InvalidVpcRange"),
        ("10.2.0.0/29", "InvalidVpcRange"),
        ("10.2.0.0", "InvalidParameterValue"),
    ] {
        assert_eq!(code(f.make_vpc(cidr).await), expected, "{cidr}");
    }
    let subnet = f.make_subnet(&vpc, "10.1.1.0/24").await.expect("creates");
    for (cidr, expected) in [
        ("10.1.1.128/25", "InvalidSubnet.Conflict"),
        ("10.1.16.0/24", "InvalidSubnet.Range"),
        ("10.1.2.0/29", "InvalidSubnet.Range"),
    ] {
        assert_eq!(code(f.make_subnet(&vpc, cidr).await), expected, "{cidr}");
    }
    assert_eq!(code(f.make_subnet("vpc-0", "10.1.2.0/24").await), "InvalidVpcID.NotFound");
    let delete = |vpc_id: &str| DeleteVpcRequest { vpc_id: vpc_id.into(), ..DeleteVpcRequest::default() };
    assert_eq!(code(f.service.delete_vpc(&f.context, delete(&vpc)).await), "DependencyViolation");
    let input = DeleteSubnetRequest { subnet_id: subnet, ..DeleteSubnetRequest::default() };
    f.service.delete_subnet(&f.context, input).await.expect("deletes");
    f.service.delete_vpc(&f.context, delete(&vpc)).await.expect("deletes");
    f.make_vpc("10.1.0.0/16").await.expect("is free again");
}

#[tokio::test]
async fn rules_are_added_shown_and_taken_away() {
    let f = fixture();
    let group = f.make_group("web").await;
    let allow = |permission: IpPermission| AuthorizeSecurityGroupIngressRequest {
        group_id: Some(group.clone()),
        ip_permissions: Some(vec![permission]),
        ..AuthorizeSecurityGroupIngressRequest::default()
    };
    let rehearsal =
        AuthorizeSecurityGroupIngressRequest { dry_run: Some(true), ..allow(tcp(80, "0.0.0.0/0")) };
    let rehearsal = f.service.authorize_security_group_ingress(&f.context, rehearsal).await;
    assert_eq!(code(rehearsal), "DryRunOperation");
    let added = f.service.authorize_security_group_ingress(&f.context, allow(tcp(80, "0.0.0.0/0"))).await;
    let rules = added.expect("allows").security_group_rules.expect("rules");
    assert_eq!((rules[0].from_port, rules[0].is_egress), (Some(80), Some(false)));
    let twice = f.service.authorize_security_group_ingress(&f.context, allow(tcp(80, "0.0.0.0/0"))).await;
    let twice = twice.expect_err("is there already");
    assert_eq!(twice.shape.name, "InvalidPermission.Duplicate");
    assert_eq!(
        twice.message,
        "the specified rule \"peer: 0.0.0.0/0, TCP, from port: 80, to port: 80, ALLOW\" already exists"
    );
    let found = f.groups(vec![filter("ip-permission.from-port", &["80"])]).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].ip_permissions.as_ref().map(Vec::len), Some(1));
    assert_eq!(found[0].ip_permissions_egress.as_ref().map(Vec::len), Some(1));
    let revoke = |permission| RevokeSecurityGroupIngressRequest {
        group_id: Some(group.clone()),
        ip_permissions: Some(vec![permission]),
        ..RevokeSecurityGroupIngressRequest::default()
    };
    let unknown = f.service.revoke_security_group_ingress(&f.context, revoke(tcp(81, "0.0.0.0/0"))).await;
    assert_eq!(code(unknown), "InvalidPermission.NotFound");
    f.service.revoke_security_group_ingress(&f.context, revoke(tcp(80, "0.0.0.0/0"))).await.expect("revokes");
    let rules = DescribeSecurityGroupRulesRequest {
        filters: Some(vec![filter("group-id", &[&group])]),
        ..DescribeSecurityGroupRulesRequest::default()
    };
    let rules = f.service.describe_security_group_rules(&f.context, rules).await.expect("describes");
    let rules = rules.security_group_rules.expect("rules");
    assert_eq!(rules.len(), 1, "all is let out");
    let by_id = RevokeSecurityGroupEgressRequest {
        group_id: group.clone(),
        security_group_rule_ids: Some(vec![rules[0].security_group_rule_id.clone().expect("an id")]),
        ..RevokeSecurityGroupEgressRequest::default()
    };
    f.service.revoke_security_group_egress(&f.context, by_id).await.expect("revokes");
}

#[tokio::test]
async fn what_is_in_use_is_not_deleted() {
    let f = fixture();
    let group = f.make_group("web").await;
    let subnet = f.subnets().await[0].subnet_id.clone().expect("an id");
    let interface = f.interface(&subnet, vec![group.clone()]).await.expect("creates");
    assert_eq!(interface.status, Some(NetworkInterfaceStatus::Available));
    let delete_group = || DeleteSecurityGroupRequest {
        group_id: Some(group.clone()),
        ..DeleteSecurityGroupRequest::default()
    };
    let delete_subnet =
        || DeleteSubnetRequest { subnet_id: subnet.clone(), ..DeleteSubnetRequest::default() };
    let refused = f.service.delete_security_group(&f.context, delete_group()).await;
    assert_eq!(code(refused), "DependencyViolation");
    assert_eq!(code(f.service.delete_subnet(&f.context, delete_subnet()).await), "DependencyViolation");
    let other = f.interface(&subnet, vec![]).await.expect("a refused deletion closes nothing");
    for id in [interface.network_interface_id, other.network_interface_id] {
        let input = DeleteNetworkInterfaceRequest {
            network_interface_id: id.expect("an id"),
            ..DeleteNetworkInterfaceRequest::default()
        };
        f.service.delete_network_interface(&f.context, input).await.expect("deletes");
    }
    // A rule of another group that speaks of it keeps it, too.
    let peer = UserIdGroupPair { group_id: Some(group.clone()), ..UserIdGroupPair::default() };
    let permission = IpPermission {
        ip_protocol: Some("-1".into()),
        user_id_group_pairs: Some(vec![peer]),
        ..IpPermission::default()
    };
    let input = AuthorizeSecurityGroupIngressRequest {
        group_id: Some(f.make_group("db").await),
        ip_permissions: Some(vec![permission]),
        ..AuthorizeSecurityGroupIngressRequest::default()
    };
    f.service.authorize_security_group_ingress(&f.context, input).await.expect("allows");
    let refused = f.service.delete_security_group(&f.context, delete_group()).await;
    assert_eq!(code(refused), "DependencyViolation");
    f.service.delete_subnet(&f.context, delete_subnet()).await.expect("deletes");
    assert_eq!(code(f.interface(&subnet, vec![]).await), "InvalidSubnetID.NotFound");
    let default = f.groups(vec![filter("group-name", &["default"])]).await;
    let input = DeleteSecurityGroupRequest {
        group_id: default[0].group_id.clone(),
        ..DeleteSecurityGroupRequest::default()
    };
    assert_eq!(code(f.service.delete_security_group(&f.context, input).await), "CannotDelete");
}

#[tokio::test]
async fn tags_and_pages() {
    let f = fixture();
    let ids: Vec<String> = f.subnets().await.into_iter().filter_map(|subnet| subnet.subnet_id).collect();
    let tag = |key: &str, value: &str| Tag { key: Some(key.into()), value: Some(value.into()) };
    let input = CreateTagsRequest {
        resources: ids[..2].to_vec(),
        tags: vec![tag("Name", "front"), tag("stage", "test")],
        ..CreateTagsRequest::default()
    };
    f.service.create_tags(&f.context, input).await.expect("tags");
    let unknown = CreateTagsRequest {
        resources: vec!["subnet-0".into()],
        tags: vec![tag("a", "b")],
        ..CreateTagsRequest::default()
    };
    assert_eq!(code(f.service.create_tags(&f.context, unknown).await), "InvalidSubnetID.NotFound");
    let reserved = CreateTagsRequest {
        resources: ids.clone(),
        tags: vec![tag("aws:a", "b")],
        ..CreateTagsRequest::default()
    };
    assert_eq!(code(f.service.create_tags(&f.context, reserved).await), "InvalidParameterValue");
    let find =
        |filters| DescribeSubnetsRequest { filters: Some(filters), ..DescribeSubnetsRequest::default() };
    let found = f.service.describe_subnets(&f.context, find(vec![filter("tag:Name", &["fr*"])])).await;
    assert_eq!(found.expect("describes").subnets.map(|all| all.len()), Some(2));
    let wrong = f.service.describe_subnets(&f.context, find(vec![filter("nonsense", &["a"])])).await;
    assert_eq!(code(wrong), "InvalidParameterValue");
    let mut seen = Vec::new();
    let mut next_token = None;
    loop {
        let input =
            DescribeSubnetsRequest { max_results: Some(1), next_token, ..DescribeSubnetsRequest::default() };
        let page = f.service.describe_subnets(&f.context, input).await.expect("describes");
        seen.extend(page.subnets.into_iter().flatten().filter_map(|subnet| subnet.subnet_id));
        next_token = page.next_token;
        if next_token.is_none() {
            break;
        }
    }
    assert_eq!(seen, ids);
    let all = f.service.describe_tags(&f.context, DescribeTagsRequest::default()).await.expect("describes");
    let all = all.tags.expect("tags");
    assert_eq!(all.len(), 4);
    assert!(all.iter().all(|tag| tag.resource_type == Some(ResourceType::Subnet)));
    let input = DeleteTagsRequest {
        resources: ids,
        tags: Some(vec![tag("Name", "other"), Tag { key: Some("stage".into()), value: None }]),
        ..DeleteTagsRequest::default()
    };
    f.service.delete_tags(&f.context, input).await.expect("deletes");
    let all = f.service.describe_tags(&f.context, DescribeTagsRequest::default()).await.expect("describes");
    assert!(all.tags.expect("tags").iter().all(|tag| tag.key.as_deref() == Some("Name")));
}

#[tokio::test]
async fn ids_that_are_none_and_requests_sent_twice() {
    let f = fixture();
    let by_id =
        |id: &str| DescribeVpcsRequest { vpc_ids: Some(vec![id.into()]), ..DescribeVpcsRequest::default() };
    assert_eq!(code(f.service.describe_vpcs(&f.context, by_id("vpc-0")).await), "InvalidVpcID.NotFound");
    assert_eq!(code(f.service.describe_vpcs(&f.context, by_id("x")).await), "InvalidVpcID.Malformed");
    let subnet = f.subnets().await[0].subnet_id.clone().expect("an id");
    let once = |description: &str| CreateNetworkInterfaceRequest {
        subnet_id: subnet.clone(),
        description: Some(description.into()),
        client_token: Some("t".into()),
        ..CreateNetworkInterfaceRequest::default()
    };
    let first = f.service.create_network_interface(&f.context, once("a")).await.expect("creates");
    assert_eq!(f.service.create_network_interface(&f.context, once("a")).await.expect("repeats"), first);
    let other = f.service.create_network_interface(&f.context, once("b")).await;
    assert_eq!(code(other), "IdempotentParameterMismatch");
    let address = first.network_interface.and_then(|own| own.private_ip_address);
    for (wanted, expected) in [
        (address.as_deref().expect("an address"), "InvalidIPAddress.InUse"),
        ("10.99.0.9", "InvalidParameterValue"),
        ("nonsense", "InvalidParameterValue"),
    ] {
        let input = CreateNetworkInterfaceRequest {
            subnet_id: subnet.clone(),
            private_ip_address: Some(wanted.into()),
            ..CreateNetworkInterfaceRequest::default()
        };
        assert_eq!(code(f.service.create_network_interface(&f.context, input).await), expected, "{wanted}");
    }
}
