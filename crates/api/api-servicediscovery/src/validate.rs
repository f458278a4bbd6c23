//! What of a request Cloud Map would not take, and what this region does not do.

use crate::errors::invalid;
use crate::shapes as wire;
use aws_wire::ServiceError;
use resources::discovery::{
    ATTRIBUTE_INIT_HEALTH, ATTRIBUTE_IPV4, ATTRIBUTE_IPV6, ATTRIBUTE_PORT, DiscoveryService, DnsConfig,
    DnsRecord, Namespace, RecordKind, RoutingPolicy,
};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Longest name in DNS, without the last dot.
const MOST_NAME: usize = 253;
/// Longest label of a name in DNS.
const MOST_LABEL: usize = 63;
/// Longest name of a service.
const MOST_SERVICE_NAME: usize = 127;
/// Most attributes of an instance.
const MOST_ATTRIBUTES: usize = 30;
/// Most characters of all attributes of an instance.
const MOST_CHARACTERS: usize = 5_000;

/// Refuses what cannot name a private namespace: it has to be a name in DNS.
pub(crate) fn private_name(name: &str) -> Result<(), ServiceError> {
    let label = |label: &str| {
        (1..=MOST_LABEL).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if name.len() > MOST_NAME || !name.split('.').all(label) {
        return Err(invalid(format!("The name {name} is not valid for a private DNS namespace.")));
    }
    Ok(())
}

/// Refuses what cannot name an HTTP namespace.
pub(crate) fn http_name(name: &str) -> Result<(), ServiceError> {
    if name.is_empty() || name.starts_with("arn:") || !name.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(invalid(format!("The name {name} is not valid for a namespace.")));
    }
    Ok(())
}

/// Refuses what cannot name a service.
pub(crate) fn service_name(namespace: &Namespace, name: &str) -> Result<(), ServiceError> {
    let edge = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let label = |label: &str| match label.as_bytes() {
        [only] => only.is_ascii_alphanumeric(),
        [first, middle @ .., last] => {
            label.len() <= MOST_LABEL
                && edge(*first)
                && edge(*last)
                && middle.iter().all(|b| edge(*b) || *b == b'-')
        }
        [] => false,
    };
    let plain = name.len() <= MOST_SERVICE_NAME && name.split('.').all(label);
    if name != "." && !plain {
        return Err(invalid(format!("The service name {name} is not valid.")));
    }
    if namespace.has_dns() && name.len() + namespace.name.len() >= MOST_NAME {
        return Err(invalid("The name of the service and its namespace are too long for DNS."));
    }
    Ok(())
}

/// The DNS records of a new service.
pub(crate) fn dns_config(given: wire::DnsConfig) -> Result<DnsConfig, ServiceError> {
    let routing = match given.routing_policy {
        Some(wire::RoutingPolicy::Weighted) => RoutingPolicy::Weighted,
        Some(wire::RoutingPolicy::Multivalue) | None => RoutingPolicy::MultiValue,
    };
    Ok(DnsConfig { routing, records: dns_records(given.dns_records)? })
}

/// Records, one of a type.
pub(crate) fn dns_records(given: Vec<wire::DnsRecord>) -> Result<Vec<DnsRecord>, ServiceError> {
    let mut records: Vec<DnsRecord> = Vec::with_capacity(given.len());
    for wire::DnsRecord { r#type, ttl } in given {
        let kind = match r#type {
            wire::RecordType::A => RecordKind::A,
            wire::RecordType::Aaaa => RecordKind::Aaaa,
            wire::RecordType::Srv => RecordKind::Srv,
            wire::RecordType::Cname => {
                return Err(invalid("This region does not answer CNAME records; use A, AAAA or SRV."));
            }
        };
        if records.iter().any(|record| record.kind == kind) {
            return Err(invalid("DnsRecords cannot have two records of one type."));
        }
        let ttl = u32::try_from(ttl).map_err(|_| invalid("The TTL of a record must not be negative."))?;
        records.push(DnsRecord { kind, ttl });
    }
    if records.is_empty() {
        return Err(invalid("DnsRecords must have a record."));
    }
    Ok(records)
}

/// Refuses health checks from outside, which nothing here makes.
pub(crate) fn health_check(given: Option<&wire::HealthCheckConfig>) -> Result<(), ServiceError> {
    match given {
        None => Ok(()),
        Some(_) => Err(invalid(
            "HealthCheckConfig is not supported by this region: there are no Route 53 health checks. Use \
             HealthCheckCustomConfig.",
        )),
    }
}

/// Refuses an instance that its service cannot have.
pub(crate) fn instance(
    service: &DiscoveryService,
    namespace: &Namespace,
    id: &str,
    attributes: &BTreeMap<String, String>,
) -> Result<(), ServiceError> {
    limits(attributes)?;
    for (attribute, why) in [
        ("AWS_ALIAS_DNS_NAME", "aliases of load balancers"),
        ("AWS_EC2_INSTANCE_ID", "EC2 instances"),
        ("AWS_INSTANCE_CNAME", "CNAME records"),
    ] {
        if attributes.contains_key(attribute) {
            return Err(invalid(format!("{attribute} is not supported by this region: it has no {why}.")));
        }
    }
    let text = |name: &str| attributes.get(name);
    let unfit = |name: &str| invalid(format!("The value of the attribute {name} is not valid."));
    if text(ATTRIBUTE_IPV4).is_some_and(|text| text.parse::<Ipv4Addr>().is_err()) {
        return Err(unfit(ATTRIBUTE_IPV4));
    }
    if text(ATTRIBUTE_IPV6).is_some_and(|text| text.parse::<Ipv6Addr>().is_err()) {
        return Err(unfit(ATTRIBUTE_IPV6));
    }
    if text(ATTRIBUTE_PORT).is_some_and(|text| !text.parse::<u16>().is_ok_and(|port| port > 0)) {
        return Err(unfit(ATTRIBUTE_PORT));
    }
    if let Some(health) = text(ATTRIBUTE_INIT_HEALTH) {
        if service.custom_health.is_none() {
            return Err(invalid(format!(
                "{ATTRIBUTE_INIT_HEALTH} is valid for services with HealthCheckCustomConfig only."
            )));
        }
        if !matches!(health.as_str(), "HEALTHY" | "UNHEALTHY") {
            return Err(unfit(ATTRIBUTE_INIT_HEALTH));
        }
    }
    let missing = |name: &str, kind: &str| {
        invalid(format!("The attribute {name} is required, because the service has {kind} records."))
    };
    let needs = |kind| service.record(kind).is_some();
    if needs(RecordKind::A) && text(ATTRIBUTE_IPV4).is_none() {
        return Err(missing(ATTRIBUTE_IPV4, "A"));
    }
    if needs(RecordKind::Aaaa) && text(ATTRIBUTE_IPV6).is_none() {
        return Err(missing(ATTRIBUTE_IPV6, "AAAA"));
    }
    if needs(RecordKind::Srv) {
        if text(ATTRIBUTE_PORT).is_none() {
            return Err(missing(ATTRIBUTE_PORT, "SRV"));
        }
        if text(ATTRIBUTE_IPV4).is_none() && text(ATTRIBUTE_IPV6).is_none() {
            return Err(missing(ATTRIBUTE_IPV4, "SRV"));
        }
        target(service, namespace, id)?;
    }
    Ok(())
}

fn limits(attributes: &BTreeMap<String, String>) -> Result<(), ServiceError> {
    let characters: usize = attributes.iter().map(|(key, value)| key.len() + value.len()).sum();
    if attributes.len() > MOST_ATTRIBUTES || characters > MOST_CHARACTERS {
        return Err(invalid(format!(
            "An instance can have at most {MOST_ATTRIBUTES} attributes with {MOST_CHARACTERS} characters in all."
        )));
    }
    Ok(())
}

/// The id of an instance begins the name that its SRV record points to.
fn target(service: &DiscoveryService, namespace: &Namespace, id: &str) -> Result<(), ServiceError> {
    let name = format!("{id}.{}", service.dns_name(namespace));
    let fits = name.len() <= MOST_NAME
        && name.split('.').all(|label| (1..=MOST_LABEL).contains(&label.len()))
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    if fits {
        Ok(())
    } else {
        Err(invalid(format!("The instance ID {id} cannot begin a name in DNS, as SRV records need it.")))
    }
}
