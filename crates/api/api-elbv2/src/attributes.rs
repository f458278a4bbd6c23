//! Attributes of load balancers, listeners and target groups: which there are, their defaults, and what they may be.

use crate::errors::{Failure, configuration, validation};
use resources::elb::{Listener, LoadBalancerKind, Protocol, TargetGroup};
use std::collections::BTreeMap;

/// An attribute.
pub(crate) struct Attribute {
    pub(crate) key: &'static str,
    pub(crate) default: &'static str,
    value: Value,
}

/// What an attribute may be.
enum Value {
    Bool,
    Number(u32, u32),
    /// A number, or `off`.
    NumberOrOff(u32, u32),
    OneOf(&'static [&'static str]),
    Text,
    /// How clients stay with their target; which of them goes with which protocol is checked with the group.
    StickinessType,
    /// A header of responses.
    Header,
    /// The default alone: the rest is not built.
    Only,
}

const fn attribute(key: &'static str, default: &'static str, value: Value) -> Attribute {
    Attribute { key, default, value }
}

const APPLICATION: &[Attribute] = &[
    attribute("access_logs.s3.enabled", "false", Value::Bool),
    attribute("access_logs.s3.bucket", "", Value::Text),
    attribute("access_logs.s3.prefix", "", Value::Text),
    attribute("client_keep_alive.seconds", "3600", Value::Number(60, 604_800)),
    attribute("connection_logs.s3.enabled", "false", Value::Only),
    attribute("connection_logs.s3.bucket", "", Value::Only),
    attribute("connection_logs.s3.prefix", "", Value::Only),
    attribute("deletion_protection.enabled", "false", Value::Bool),
    attribute("health_check_logs.s3.enabled", "false", Value::Only),
    attribute("health_check_logs.s3.bucket", "", Value::Only),
    attribute("health_check_logs.s3.prefix", "", Value::Only),
    attribute("idle_timeout.timeout_seconds", "60", Value::Number(1, 4_000)),
    attribute("ipv6.deny_all_igw_traffic", "false", Value::Only),
    attribute("load_balancing.cross_zone.enabled", "true", Value::Only),
    attribute(
        "routing.http.desync_mitigation_mode",
        "defensive",
        Value::OneOf(&["monitor", "defensive", "strictest"]),
    ),
    attribute("routing.http.drop_invalid_header_fields.enabled", "false", Value::Bool),
    attribute("routing.http.preserve_host_header.enabled", "false", Value::Bool),
    attribute("routing.http.x_amzn_tls_version_and_cipher_suite.enabled", "false", Value::Bool),
    attribute("routing.http.xff_client_port.enabled", "false", Value::Bool),
    attribute(
        "routing.http.xff_header_processing.mode",
        "append",
        Value::OneOf(&["append", "preserve", "remove"]),
    ),
    attribute("routing.http2.enabled", "true", Value::Bool),
    attribute("waf.fail_open.enabled", "false", Value::Only),
    attribute("zonal_shift.config.enabled", "false", Value::Only),
];

const NETWORK: &[Attribute] = &[
    attribute("access_logs.s3.enabled", "false", Value::Bool),
    attribute("access_logs.s3.bucket", "", Value::Text),
    attribute("access_logs.s3.prefix", "", Value::Text),
    attribute("deletion_protection.enabled", "false", Value::Bool),
    attribute("dns_record.client_routing_policy", "any_availability_zone", Value::Only),
    attribute("ipv6.deny_all_igw_traffic", "false", Value::Only),
    // Every target is on the machine of the load balancer, so there is nothing to cross.
    attribute("load_balancing.cross_zone.enabled", "false", Value::Bool),
    attribute("secondary_ips.auto_assigned.per_subnet", "0", Value::Only),
    attribute("zonal_shift.config.enabled", "false", Value::Only),
];

const HTTP_GROUP: &[Attribute] = &[
    attribute("deregistration_delay.timeout_seconds", "300", Value::Number(0, 3_600)),
    attribute("load_balancing.algorithm.anomaly_mitigation", "off", Value::Only),
    attribute(
        "load_balancing.algorithm.type",
        "round_robin",
        Value::OneOf(&["round_robin", "least_outstanding_requests", "weighted_random"]),
    ),
    attribute("load_balancing.cross_zone.enabled", "use_load_balancer_configuration", Value::Only),
    attribute("slow_start.duration_seconds", "0", Value::Number(0, 900)),
    attribute("stickiness.app_cookie.cookie_name", "", Value::Text),
    attribute("stickiness.app_cookie.duration_seconds", "86400", Value::Number(1, 604_800)),
    attribute("stickiness.enabled", "false", Value::Bool),
    attribute("stickiness.lb_cookie.duration_seconds", "86400", Value::Number(1, 604_800)),
    attribute("stickiness.type", "lb_cookie", Value::StickinessType),
    attribute("target_group_health.dns_failover.minimum_healthy_targets.count", "1", Value::Only),
    attribute("target_group_health.dns_failover.minimum_healthy_targets.percentage", "off", Value::Only),
    attribute(
        "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count",
        "1",
        Value::Number(1, 1_000),
    ),
    attribute(
        "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage",
        "off",
        Value::NumberOrOff(1, 100),
    ),
];

const STREAM_GROUP: &[Attribute] = &[
    attribute("deregistration_delay.connection_termination.enabled", "false", Value::Bool),
    attribute("deregistration_delay.timeout_seconds", "300", Value::Number(0, 3_600)),
    attribute("load_balancing.cross_zone.enabled", "use_load_balancer_configuration", Value::Only),
    attribute("preserve_client_ip.enabled", "false", Value::Only),
    attribute("proxy_protocol_v2.enabled", "false", Value::Bool),
    attribute("stickiness.enabled", "false", Value::Bool),
    attribute("stickiness.type", "source_ip", Value::StickinessType),
    attribute("target_group_health.dns_failover.minimum_healthy_targets.count", "1", Value::Only),
    attribute("target_group_health.dns_failover.minimum_healthy_targets.percentage", "off", Value::Only),
    attribute(
        "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count",
        "1",
        Value::Number(1, 1_000),
    ),
    attribute(
        "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage",
        "off",
        Value::NumberOrOff(1, 100),
    ),
    attribute("target_health_state.unhealthy.connection_termination.enabled", "true", Value::Bool),
    attribute("target_health_state.unhealthy.draining_interval_seconds", "0", Value::Only),
];

const HTTP_LISTENER: &[Attribute] = &[
    attribute("routing.http.response.access_control_allow_credentials.header_value", "", Value::Header),
    attribute("routing.http.response.access_control_allow_headers.header_value", "", Value::Header),
    attribute("routing.http.response.access_control_allow_methods.header_value", "", Value::Header),
    attribute("routing.http.response.access_control_allow_origin.header_value", "", Value::Header),
    attribute("routing.http.response.access_control_expose_headers.header_value", "", Value::Header),
    attribute("routing.http.response.access_control_max_age.header_value", "", Value::Header),
    attribute("routing.http.response.content_security_policy.header_value", "", Value::Header),
    attribute("routing.http.response.server.enabled", "true", Value::Bool),
    attribute("routing.http.response.strict_transport_security.header_value", "", Value::Header),
    attribute("routing.http.response.x_content_type_options.header_value", "", Value::Header),
    attribute("routing.http.response.x_frame_options.header_value", "", Value::Header),
];

const TCP_LISTENER: &[Attribute] = &[attribute("tcp.idle_timeout.seconds", "350", Value::Number(60, 6_000))];

/// Attributes of a load balancer.
pub(crate) fn of_load_balancer(kind: LoadBalancerKind) -> &'static [Attribute] {
    match kind {
        LoadBalancerKind::Application => APPLICATION,
        LoadBalancerKind::Network => NETWORK,
    }
}

/// Attributes of a target group.
pub(crate) fn of_target_group(group: &TargetGroup) -> &'static [Attribute] {
    if group.protocol.is_http() { HTTP_GROUP } else { STREAM_GROUP }
}

/// Attributes of a listener.
pub(crate) fn of_listener(listener: &Listener) -> &'static [Attribute] {
    match listener.protocol {
        Protocol::Http | Protocol::Https => HTTP_LISTENER,
        Protocol::Tcp => TCP_LISTENER,
        Protocol::Tls | Protocol::Udp | Protocol::TcpUdp => &[],
    }
}

/// Puts `given` over `set`, the attributes that differ from the default; `what` is what they are of.
pub(crate) fn put(
    known: &[Attribute],
    what: &str,
    set: &mut BTreeMap<String, String>,
    given: impl IntoIterator<Item = (Option<String>, Option<String>)>,
) -> Result<(), Failure> {
    for (key, value) in given {
        let (key, value) = (key.unwrap_or_default(), value.unwrap_or_default());
        let attribute = known
            .iter()
            .find(|attribute| attribute.key == key)
            .ok_or_else(|| validation(format_args!("{what} attribute key '{key}' is not recognized")))?;
        attribute.check(what, &value)?;
        if value == attribute.default {
            set.remove(&key);
        } else {
            set.insert(key, value);
        }
    }
    Ok(())
}

/// Every attribute with its value.
pub(crate) fn shown(
    known: &[Attribute],
    set: &BTreeMap<String, String>,
) -> impl Iterator<Item = (Option<String>, Option<String>)> {
    known.iter().map(|attribute| {
        let value = set.get(attribute.key).map_or(attribute.default, String::as_str);
        (Some(attribute.key.to_owned()), Some(value.to_owned()))
    })
}

impl Attribute {
    fn check(&self, what: &str, value: &str) -> Result<(), Failure> {
        let key = self.key;
        let number = |least: u32, most: u32| value.parse().is_ok_and(|n: u32| (least..=most).contains(&n));
        let wrong = |allowed: String| {
            validation(format_args!("{what} attribute value '{value}' of '{key}' is not valid: {allowed}"))
        };
        match self.value {
            Value::Bool if !matches!(value, "true" | "false") => Err(wrong("it is true or false".to_owned())),
            Value::Number(least, most) if !number(least, most) => {
                Err(wrong(format!("it is between {least} and {most}")))
            }
            Value::NumberOrOff(least, most) if value != "off" && !number(least, most) => {
                Err(wrong(format!("it is between {least} and {most}, or off")))
            }
            Value::OneOf(values) if !values.contains(&value) => {
                Err(wrong(format!("it is one of {}", values.join(", "))))
            }
            Value::StickinessType if !matches!(value, "app_cookie" | "lb_cookie" | "source_ip") => {
                Err(validation("'Stickiness type' must be one of [app_cookie, lb_cookie, source_ip]"))
            }
            Value::Header if value.bytes().any(|byte| !(32..=126).contains(&byte)) => {
                Err(wrong("it is a header's value".to_owned()))
            }
            Value::Text if value.contains("..") || value.chars().any(char::is_control) => {
                Err(wrong("it is a name".to_owned()))
            }
            Value::Only if value != self.default => Err(configuration(format_args!(
                "{what} attribute '{key}' cannot have the value '{value}': it is not supported"
            ))),
            _ => Ok(()),
        }
    }
}

/// What must hold for the attributes of a target group together.
pub(crate) fn check_group(group: &TargetGroup) -> Result<(), Failure> {
    let slow = group.attribute("slow_start.duration_seconds").is_some_and(|text| text != "0");
    if slow && group.attribute("slow_start.duration_seconds").is_none_or(|text| !is_slow_start(text)) {
        return Err(validation(
            "Target group attribute 'slow_start.duration_seconds' must be 0, or between 30 and 900",
        ));
    }
    let algorithm = group.attribute("load_balancing.algorithm.type").unwrap_or("round_robin");
    if slow && algorithm != "round_robin" {
        return Err(configuration(
            "Slow start mode is not supported with the least outstanding requests and weighted random algorithms",
        ));
    }
    if group.protocol == Protocol::Tls && group.attribute("stickiness.enabled") == Some("true") {
        return Err(configuration("You cannot enable stickiness on target groups with the TLS protocol"));
    }
    let by_cookie = group.attribute("stickiness.enabled") == Some("true")
        && group.attribute("stickiness.type") == Some("app_cookie");
    if by_cookie && group.attribute("stickiness.app_cookie.cookie_name").is_none() {
        return Err(configuration("You must specify an application cookie name for app_cookie stickiness"));
    }
    let name = group.attribute("stickiness.app_cookie.cookie_name").unwrap_or_default();
    if name.starts_with("AWSALB") {
        return Err(configuration("Cookie names with the prefix AWSALB are reserved by the load balancer"));
    }
    Ok(())
}

/// Refuses a kind of stickiness that a request names and that does not go with the protocol of a group.
pub(crate) fn check_stickiness<'a>(
    group: &TargetGroup,
    given: impl IntoIterator<Item = (Option<&'a str>, Option<&'a str>)>,
) -> Result<(), Failure> {
    let named = given.into_iter().find(|(key, _)| *key == Some("stickiness.type"));
    match named.and_then(|(_, kind)| kind) {
        Some(kind @ ("app_cookie" | "lb_cookie")) if !group.protocol.is_http() => Err(misfit(kind, group)),
        Some(kind @ "source_ip") if group.protocol.is_http() => Err(misfit(kind, group)),
        _ => Ok(()),
    }
}

fn misfit(kind: &str, group: &TargetGroup) -> Failure {
    let protocol = group.protocol.as_str();
    configuration(format_args!(
        "Stickiness type '{kind}' is not supported for target groups with the {protocol} protocol"
    ))
}

/// Checks the attributes of a load balancer together.
pub(crate) fn check_load_balancer(set: &BTreeMap<String, String>) -> Result<(), Failure> {
    let logs = set.get("access_logs.s3.enabled").is_some_and(|value| value == "true");
    if logs && !set.contains_key("access_logs.s3.bucket") {
        return Err(configuration("The value of 'access_logs.s3.bucket' cannot be empty"));
    }
    Ok(())
}

fn is_slow_start(text: &str) -> bool {
    text.parse().is_ok_and(|seconds: u32| (30..=900).contains(&seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(key: &str, value: &str) -> [(Option<String>, Option<String>); 1] {
        [(Some(key.to_owned()), Some(value.to_owned()))]
    }

    #[test]
    fn values_are_checked_and_defaults_are_not_kept() {
        let mut set = BTreeMap::new();
        let mut put = |key, value| put(APPLICATION, "Load balancer", &mut set, given(key, value)).is_ok();
        for (key, value, is_right) in [
            ("idle_timeout.timeout_seconds", "30", true),
            ("idle_timeout.timeout_seconds", "0", false),
            ("idle_timeout.timeout_seconds", "4001", false),
            ("routing.http2.enabled", "false", true),
            ("routing.http2.enabled", "no", false),
            ("routing.http2.enabled", "true", true),
            ("routing.http.xff_header_processing.mode", "drop", false),
            ("waf.fail_open.enabled", "true", false),
            ("access_logs.s3.bucket", "../etc", false),
            ("no.such", "", false),
        ] {
            assert_eq!(put(key, value), is_right, "{key} {value}");
        }
        let expected = ("idle_timeout.timeout_seconds".to_owned(), "30".to_owned());
        assert_eq!(set.into_iter().collect::<Vec<_>>(), [expected]);
    }

    #[test]
    fn every_default_is_valid() {
        let all = [APPLICATION, NETWORK, HTTP_GROUP, STREAM_GROUP, HTTP_LISTENER, TCP_LISTENER];
        for attribute in all.into_iter().flatten() {
            assert!(attribute.check("", attribute.default).is_ok(), "{}", attribute.key);
        }
    }
}
