//! Stored rows as answers show them.

use crate::groups::Users;
use crate::shapes as wire;
use crate::{actions, conditions};
use resources::elb::{
    Listener, LoadBalancer, LoadBalancerKind, LoadBalancerState, LoadBalancerZone, Protocol, ProtocolVersion,
    Rule, Target, TargetGroup,
};

/// The hosted zone that names of load balancers would be in; the same for all of a region on AWS.
const HOSTED_ZONE: &str = "Z35SXDOTRQ7X7K";

pub(crate) fn load_balancer(row: &LoadBalancer) -> wire::LoadBalancer {
    let (code, reason) = match &row.state {
        LoadBalancerState::Provisioning => (wire::LoadBalancerStateEnum::Provisioning, None),
        LoadBalancerState::Active => (wire::LoadBalancerStateEnum::Active, None),
        LoadBalancerState::Impaired(reason) => {
            (wire::LoadBalancerStateEnum::ActiveImpaired, Some(reason.clone()))
        }
        LoadBalancerState::Failed(reason) => (wire::LoadBalancerStateEnum::Failed, Some(reason.clone())),
    };
    let is_application = row.kind == LoadBalancerKind::Application;
    wire::LoadBalancer {
        load_balancer_arn: Some(row.arn.clone()),
        dns_name: Some(row.dns_name.clone()),
        canonical_hosted_zone_id: Some(HOSTED_ZONE.to_owned()),
        created_time: Some(row.created_at),
        load_balancer_name: Some(row.name.clone()),
        scheme: Some(if row.internet_facing {
            wire::LoadBalancerSchemeEnum::InternetFacing
        } else {
            wire::LoadBalancerSchemeEnum::Internal
        }),
        vpc_id: Some(row.vpc.clone()),
        state: Some(wire::LoadBalancerState { code: Some(code), reason }),
        r#type: Some(match row.kind {
            LoadBalancerKind::Application => wire::LoadBalancerTypeEnum::Application,
            LoadBalancerKind::Network => wire::LoadBalancerTypeEnum::Network,
        }),
        availability_zones: Some(zones(row)),
        security_groups: (is_application || !row.security_groups.is_empty())
            .then(|| row.security_groups.clone()),
        ip_address_type: Some(wire::IpAddressType::Ipv4),
        ..wire::LoadBalancer::default()
    }
}

/// The zones of a load balancer. Addresses are shown where their owner has chosen them, which cannot be here.
pub(crate) fn zones(row: &LoadBalancer) -> Vec<wire::AvailabilityZone> {
    let zone = |zone: &LoadBalancerZone| wire::AvailabilityZone {
        zone_name: Some(zone.zone.clone()),
        subnet_id: Some(zone.subnet.clone()),
        load_balancer_addresses: Some(Vec::new()),
        ..wire::AvailabilityZone::default()
    };
    row.zones.iter().map(zone).collect()
}

pub(crate) fn listener(row: &Listener) -> wire::Listener {
    let default = row.certificates.first().map(|certificate| wire::Certificate {
        certificate_arn: Some(certificate.arn.clone()),
        ..wire::Certificate::default()
    });
    wire::Listener {
        listener_arn: Some(row.arn.clone()),
        load_balancer_arn: Some(row.load_balancer_arn.clone()),
        port: Some(i32::from(row.port)),
        protocol: Some(protocol(row.protocol)),
        certificates: row.protocol.is_secure().then(|| default.into_iter().collect()),
        ssl_policy: row.ssl_policy.clone(),
        default_actions: Some(actions::shown(&row.default_actions)),
        alpn_policy: row.alpn_policy.clone().map(|policy| vec![policy]),
        ..wire::Listener::default()
    }
}

pub(crate) fn rule(row: &Rule) -> wire::Rule {
    wire::Rule {
        rule_arn: Some(row.arn.clone()),
        priority: Some(row.priority.to_string()),
        conditions: Some(conditions::shown(&row.conditions)),
        actions: Some(actions::shown(&row.actions)),
        is_default: Some(false),
        ..wire::Rule::default()
    }
}

pub(crate) fn default_rule(row: &Listener) -> wire::Rule {
    wire::Rule {
        rule_arn: Some(row.rule_arn(&row.default_rule)),
        priority: Some("default".to_owned()),
        conditions: Some(Vec::new()),
        actions: Some(actions::shown(&row.default_actions)),
        is_default: Some(true),
        ..wire::Rule::default()
    }
}

pub(crate) fn target_group(row: &TargetGroup, users: &Users) -> wire::TargetGroup {
    let check = &row.health_check;
    let number = |number: u32| i32::try_from(number).ok();
    let matcher = check.matcher.clone();
    let is_grpc = row.protocol_version == Some(ProtocolVersion::Grpc);
    wire::TargetGroup {
        target_group_arn: Some(row.arn.clone()),
        target_group_name: Some(row.name.clone()),
        protocol: Some(protocol(row.protocol)),
        port: Some(i32::from(row.port)),
        vpc_id: Some(row.vpc.clone()),
        health_check_protocol: Some(protocol(check.protocol)),
        health_check_port: Some(check.port.clone()),
        health_check_enabled: Some(check.enabled),
        health_check_interval_seconds: number(check.interval),
        health_check_timeout_seconds: number(check.timeout),
        healthy_threshold_count: number(check.healthy_threshold),
        unhealthy_threshold_count: number(check.unhealthy_threshold),
        health_check_path: check.path.clone(),
        matcher: matcher.map(|codes| {
            let (http_code, grpc_code) = if is_grpc { (None, Some(codes)) } else { (Some(codes), None) };
            wire::Matcher { http_code, grpc_code }
        }),
        load_balancer_arns: Some(users.get(&row.arn).into_iter().flatten().cloned().collect()),
        target_type: row.target_type.as_str().parse().ok(),
        protocol_version: row.protocol_version.map(|version| version.as_str().to_owned()),
        ip_address_type: Some(wire::TargetGroupIpAddressTypeEnum::Ipv4),
        ..wire::TargetGroup::default()
    }
}

pub(crate) fn target_health(group: &TargetGroup, row: &Target) -> wire::TargetHealthDescription {
    let port = match group.health_check.port.as_str() {
        "traffic-port" => row.port.to_string(),
        port => port.to_owned(),
    };
    wire::TargetHealthDescription {
        target: Some(wire::TargetDescription {
            id: row.address.to_string(),
            port: Some(i32::from(row.port)),
            availability_zone: row.zone.clone(),
            ..wire::TargetDescription::default()
        }),
        health_check_port: Some(port),
        target_health: Some(wire::TargetHealth {
            state: row.health.state.as_str().parse().ok(),
            reason: row.health.reason.as_deref().and_then(|reason| reason.parse().ok()),
            description: row.health.description.clone(),
        }),
        ..wire::TargetHealthDescription::default()
    }
}

pub(crate) fn protocol(protocol: Protocol) -> wire::ProtocolEnum {
    match protocol {
        Protocol::Http => wire::ProtocolEnum::Http,
        Protocol::Https => wire::ProtocolEnum::Https,
        Protocol::Tcp => wire::ProtocolEnum::Tcp,
        Protocol::Tls => wire::ProtocolEnum::Tls,
        Protocol::Udp => wire::ProtocolEnum::Udp,
        Protocol::TcpUdp => wire::ProtocolEnum::TcpUdp,
    }
}
