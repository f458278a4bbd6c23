//! Stored resources as the API shows them.

use crate::lookup::{namespace_arn, service_arn};
use crate::shapes as wire;
use aws_wire::RequestContext;
use resources::discovery::{
    DiscoveryService, DnsConfig, HealthStatus, Namespace, NamespaceKind, Operation, RecordKind, RoutingPolicy,
};

/// A namespace with the number of its services.
pub(crate) fn namespace(context: &RequestContext, stored: &Namespace, services: i32) -> wire::Namespace {
    let shown = summary(context, stored, services);
    wire::Namespace {
        id: shown.id,
        arn: shown.arn,
        resource_owner: shown.resource_owner,
        name: shown.name,
        r#type: shown.r#type,
        description: shown.description,
        service_count: shown.service_count,
        properties: shown.properties,
        create_date: shown.create_date,
        creator_request_id: stored.creator_request_id.clone(),
    }
}

/// The same as an item of ListNamespaces.
pub(crate) fn summary(context: &RequestContext, stored: &Namespace, services: i32) -> wire::NamespaceSummary {
    let dns = match &stored.kind {
        NamespaceKind::Http => wire::DnsProperties { soa: Some(wire::SOA::default()), hosted_zone_id: None },
        NamespaceKind::PrivateDns { hosted_zone, soa_ttl, .. } => wire::DnsProperties {
            hosted_zone_id: Some(hosted_zone.clone()),
            soa: Some(wire::SOA { ttl: i64::from(*soa_ttl) }),
        },
    };
    wire::NamespaceSummary {
        id: Some(stored.id.clone()),
        arn: Some(namespace_arn(context, &stored.id)),
        resource_owner: Some(stored.account.to_string()),
        name: Some(stored.name.clone()),
        r#type: Some(kind(&stored.kind)),
        description: stored.description.clone(),
        service_count: Some(services),
        properties: Some(wire::NamespaceProperties {
            dns_properties: Some(dns),
            http_properties: Some(wire::HttpProperties { http_name: Some(stored.name.clone()) }),
        }),
        create_date: Some(stored.created_at),
    }
}

/// The type of a namespace.
pub(crate) fn kind(stored: &NamespaceKind) -> wire::NamespaceType {
    match stored {
        NamespaceKind::Http => wire::NamespaceType::Http,
        NamespaceKind::PrivateDns { .. } => wire::NamespaceType::DnsPrivate,
    }
}

/// A service with the number of its instances.
pub(crate) fn service(context: &RequestContext, stored: &DiscoveryService, instances: i32) -> wire::Service {
    wire::Service {
        id: Some(stored.id.clone()),
        arn: Some(service_arn(context, &stored.id)),
        resource_owner: Some(stored.account.to_string()),
        name: Some(stored.name.clone()),
        namespace_id: Some(stored.namespace.clone()),
        description: stored.description.clone(),
        instance_count: Some(instances),
        dns_config: stored.dns.as_ref().map(|dns| dns_config(stored, dns)),
        r#type: Some(if stored.dns.is_some() { wire::ServiceType::DnsHttp } else { wire::ServiceType::Http }),
        health_check_config: None,
        health_check_custom_config: stored.custom_health.map(|custom| wire::HealthCheckCustomConfig {
            failure_threshold: custom.failure_threshold.map(number),
        }),
        create_date: Some(stored.created_at),
        creator_request_id: stored.creator_request_id.clone(),
        created_by_account: Some(stored.account.to_string()),
    }
}

/// The same as an item of ListServices.
pub(crate) fn service_summary(
    context: &RequestContext,
    stored: &DiscoveryService,
    instances: i32,
) -> wire::ServiceSummary {
    let shown = service(context, stored, instances);
    wire::ServiceSummary {
        id: shown.id,
        arn: shown.arn,
        resource_owner: shown.resource_owner,
        name: shown.name,
        r#type: shown.r#type,
        description: shown.description,
        instance_count: shown.instance_count,
        dns_config: shown.dns_config,
        health_check_config: shown.health_check_config,
        health_check_custom_config: shown.health_check_custom_config,
        create_date: shown.create_date,
        created_by_account: shown.created_by_account,
    }
}

fn number(given: u32) -> i32 {
    i32::try_from(given).unwrap_or(i32::MAX)
}

fn dns_config(service: &DiscoveryService, dns: &DnsConfig) -> wire::DnsConfig {
    let record = |record: &resources::discovery::DnsRecord| wire::DnsRecord {
        r#type: match record.kind {
            RecordKind::A => wire::RecordType::A,
            RecordKind::Aaaa => wire::RecordType::Aaaa,
            RecordKind::Srv => wire::RecordType::Srv,
        },
        ttl: i64::from(record.ttl),
    };
    wire::DnsConfig {
        namespace_id: Some(service.namespace.clone()),
        routing_policy: Some(match dns.routing {
            RoutingPolicy::MultiValue => wire::RoutingPolicy::Multivalue,
            RoutingPolicy::Weighted => wire::RoutingPolicy::Weighted,
        }),
        dns_records: dns.records.iter().map(record).collect(),
    }
}

/// How healthy an instance is.
pub(crate) fn health(status: HealthStatus) -> wire::HealthStatus {
    match status {
        HealthStatus::Healthy => wire::HealthStatus::Healthy,
        HealthStatus::Unhealthy => wire::HealthStatus::Unhealthy,
        HealthStatus::Unknown => wire::HealthStatus::Unknown,
    }
}

/// An operation.
pub(crate) fn operation(stored: &Operation) -> wire::Operation {
    wire::Operation {
        id: Some(stored.id.clone()),
        owner_account: Some(stored.account.to_string()),
        r#type: stored.kind.as_str().parse().ok(),
        status: Some(wire::OperationStatus::Success),
        create_date: Some(stored.created_at),
        update_date: Some(stored.created_at),
        targets: Some(
            stored.targets.iter().map(|(kind, id)| (kind.as_str().to_owned(), id.clone())).collect(),
        ),
        ..wire::Operation::default()
    }
}
