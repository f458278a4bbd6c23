//! Plans as text, so that a reader sees what is let through.

use super::*;
use environment::Timestamp;
use resources::ec2::{InterfaceUse, PortRange};
use std::fmt::Write;

#[derive(Default)]
struct Rows {
    vpcs: Vec<Vpc>,
    subnets: Vec<Subnet>,
    groups: Vec<SecurityGroup>,
    interfaces: Vec<NetworkInterface>,
}

impl Rows {
    fn vpc(mut self, id: &str, cidr: &str, leaves: bool) -> Self {
        self.vpcs.push(Vpc {
            account: account(),
            id: id.to_owned(),
            cidr: cidr.parse().expect("a range"),
            is_default: leaves,
            default_group: String::new(),
            route_table: String::new(),
            internet_gateway: leaves.then(|| "igw-1".to_owned()),
            dns_support: true,
            dns_hostnames: true,
            address_metrics: false,
            closing: false,
            created_at: Timestamp::default(),
        });
        self.subnets.push(Subnet {
            account: account(),
            id: format!("subnet-{id}"),
            vpc: id.to_owned(),
            cidr: cidr.parse().expect("a range"),
            zone: "a".to_owned(),
            default_for_zone: true,
            map_public_ip: true,
            closing: false,
            created_at: Timestamp::default(),
        });
        self
    }

    /// Rules as `in tcp 80-81 10.0.0.0/8` or `out all sg-b`.
    fn group(mut self, id: &str, rules: &[&str]) -> Self {
        let rules = rules.iter().enumerate().map(|(index, text)| rule(&format!("sgr-{index}"), text));
        self.groups.push(SecurityGroup {
            account: account(),
            id: id.to_owned(),
            vpc: "vpc-a".to_owned(),
            name: id.to_owned(),
            description: String::new(),
            rules: rules.collect(),
            closing: false,
            created_at: Timestamp::default(),
        });
        self
    }

    fn interface(mut self, vpc: &str, address: &str, groups: &[&str]) -> Self {
        self.interfaces.push(NetworkInterface {
            account: account(),
            id: format!("eni-{address}"),
            subnet: format!("subnet-{vpc}"),
            vpc: vpc.to_owned(),
            zone: "a".to_owned(),
            address: address.parse().expect("an address"),
            mac: String::new(),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            description: String::new(),
            used_by: InterfaceUse::Nobody,
            client_token: None,
            created_at: Timestamp::default(),
        });
        self
    }

    fn plan(&self) -> Plan {
        plan(&self.vpcs, &self.subnets, &self.groups, &self.interfaces)
    }
}

fn account() -> identifiers::AccountId {
    "123456789012".parse().expect("an account")
}

fn rule(id: &str, text: &str) -> SecurityGroupRule {
    let mut words = text.split(' ');
    let egress = words.next() == Some("out");
    let protocol = match words.next().expect("a protocol") {
        "all" => Protocol::All,
        "icmp" => Protocol::Icmp(None, None),
        "icmp6" => Protocol::Icmp6(None, None),
        name => {
            let (from, to) = words.next().and_then(|ports| ports.split_once('-')).expect("ports");
            let ports = PortRange { from: from.parse().expect("a port"), to: to.parse().expect("a port") };
            if name == "tcp" { Protocol::Tcp(ports) } else { Protocol::Udp(ports) }
        }
    };
    let peer = match words.next().expect("a peer") {
        group if group.starts_with("sg-") => Peer::Group(group.to_owned()),
        range if range.contains(':') => Peer::Range6(range.parse().expect("a range")),
        range => Peer::Range(range.parse().expect("a range")),
    };
    SecurityGroupRule { id: id.to_owned(), egress, protocol, peer, description: None }
}

fn shown(plan: &Plan) -> String {
    let mut text = String::new();
    for (address, id) in &plan.members {
        let groups: Vec<&str> = id.groups.iter().map(String::as_str).collect();
        writeln!(text, "{address} {} {}", id.vpc, groups.join("+")).expect("writes");
    }
    for (id, policy) in &plan.policies {
        let groups: Vec<&str> = id.groups.iter().map(String::as_str).collect();
        writeln!(text, "{} leaves={}", groups.join("+"), policy.leaves).expect("writes");
        for (way, permits) in [("in", &policy.ingress), ("out", &policy.egress)] {
            for permit in permits {
                let other = match &permit.other {
                    Other::Range(range) => range.to_string(),
                    Other::Group(id) => id.clone(),
                };
                writeln!(text, "  {way} {:?} {other}", permit.traffic).expect("writes");
            }
        }
    }
    for (id, members) in &plan.groups {
        writeln!(text, "{id}: {members:?}").expect("writes");
    }
    text
}

#[test]
fn groups_add_up_and_interfaces_with_the_same_share_a_policy() {
    let rows = Rows::default()
        .vpc("vpc-a", "10.0.0.0/24", true)
        .group("sg-web", &["in tcp 80-80 0.0.0.0/0", "out all 0.0.0.0/0"])
        .group(
            "sg-db",
            &["in tcp 5432-5433 sg-web", "in icmp 10.0.0.0/8", "in all ::/0", "in icmp6 10.0.0.0/8"],
        )
        .interface("vpc-a", "10.0.0.4", &["sg-web"])
        .interface("vpc-a", "10.0.0.5", &["sg-web"])
        .interface("vpc-a", "10.0.0.6", &["sg-db", "sg-web"])
        .interface("vpc-a", "10.0.0.7", &["sg-web", "sg-db"]);
    let expected = "10.0.0.4 vpc-a sg-web\n10.0.0.5 vpc-a sg-web\n10.0.0.6 vpc-a sg-db+sg-web\n\
        10.0.0.7 vpc-a sg-db+sg-web\n\
        sg-db+sg-web leaves=true\n  in Tcp(80, 80) 0.0.0.0/0\n  in Icmp(None, None) 10.0.0.0/8\n  \
        in Tcp(5432, 5433) sg-web\n  out All 0.0.0.0/0\n\
        sg-web leaves=true\n  in Tcp(80, 80) 0.0.0.0/0\n  out All 0.0.0.0/0\n\
        sg-web: {10.0.0.4, 10.0.0.5, 10.0.0.6, 10.0.0.7}\n";
    assert_eq!(shown(&rows.plan()), expected);
    let mut turned = rows;
    turned.interfaces.reverse();
    turned.groups.reverse();
    assert_eq!(shown(&turned.plan()), expected, "the order of rows does not matter");
}

#[test]
fn groups_that_are_gone_permit_nothing_and_have_no_members() {
    let plan = Rows::default()
        .vpc("vpc-a", "10.0.0.0/24", false)
        .group("sg-a", &["in all sg-gone"])
        .interface("vpc-a", "10.0.0.4", &["sg-a"])
        .interface("vpc-a", "10.0.0.5", &["sg-lost"])
        .plan();
    let expected = "10.0.0.4 vpc-a sg-a\n10.0.0.5 vpc-a sg-lost\nsg-a leaves=false\n  in All sg-gone\n\
        sg-lost leaves=false\nsg-gone: {}\n";
    assert_eq!(shown(&plan), expected);
}

#[test]
fn vpcs_are_apart_and_subnets_have_their_gateways() {
    let plan = Rows::default()
        .vpc("vpc-a", "10.0.0.0/24", true)
        .vpc("vpc-b", "10.1.0.0/24", false)
        .interface("vpc-a", "10.0.0.4", &[])
        .interface("vpc-b", "10.1.0.4", &[])
        .plan();
    let gateways: Vec<String> = plan.networks.iter().map(|network| network.gateway.to_string()).collect();
    assert_eq!(gateways, ["10.0.0.1", "10.1.0.1"]);
    assert_eq!(plan.vpcs.len(), 2);
    assert!(plan.vpcs.values().all(|members| members.len() == 1));
    let leaves: Vec<bool> = plan.policies.values().map(|policy| policy.leaves).collect();
    assert_eq!(leaves, [true, false]);
}
