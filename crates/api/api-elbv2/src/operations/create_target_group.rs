//! CreateTargetGroup, and how health checks are read.

use crate::errors::{Failure, configuration, other, validation};
use crate::groups::Users;
use crate::retry::retrying;
use crate::shapes as wire;
use crate::shapes::{CreateTargetGroupInput, CreateTargetGroupOutput, errors};
use crate::{ElbV2Service, limits, names, render, tags};
use aws_wire::RequestContext;
use resources::Stored;
use resources::ec2::Vpc;
use resources::elb::{HealthCheck, Protocol, ProtocolVersion, TargetGroup, TargetType};
use std::collections::BTreeMap;
use store::Page;

/// What a request says of health checks.
#[derive(Clone, Default)]
pub(crate) struct GivenCheck {
    pub(crate) enabled: Option<bool>,
    pub(crate) protocol: Option<wire::ProtocolEnum>,
    pub(crate) port: Option<String>,
    pub(crate) path: Option<String>,
    pub(crate) interval: Option<i32>,
    pub(crate) timeout: Option<i32>,
    pub(crate) healthy_threshold: Option<i32>,
    pub(crate) unhealthy_threshold: Option<i32>,
    pub(crate) matcher: Option<wire::Matcher>,
}

pub(crate) async fn run(
    service: &ElbV2Service,
    context: &RequestContext,
    input: CreateTargetGroupInput,
) -> Result<CreateTargetGroupOutput, Failure> {
    let wanted = read(service, context, input).await?;
    let row = retrying!(attempt(service, context, &wanted))?;
    let users =
        if row.created_at == wanted.created_at { Users::new() } else { service.users(context).await? };
    Ok(CreateTargetGroupOutput { target_groups: Some(vec![render::target_group(&row, &users)]) })
}

async fn attempt(
    service: &ElbV2Service,
    context: &RequestContext,
    wanted: &TargetGroup,
) -> Result<TargetGroup, Failure> {
    let tables = &service.tables;
    if let Some(old) = tables.get::<TargetGroup>(&wanted.key()).await? {
        let same = TargetGroup {
            arn: old.arn.clone(),
            created_at: old.created_at,
            attributes: old.attributes.clone(),
            ..wanted.clone()
        };
        return if same == *old.value { Ok(same) } else { Err(duplicate(&wanted.name)) };
    }
    let page = Page { after: None, limit: limits::TARGET_GROUPS };
    let (all, _) = tables.keys::<TargetGroup>(&format!("{}/", context.account), page).await?;
    if all.len() >= limits::TARGET_GROUPS {
        return Err(other(
            &errors::TOO_MANY_TARGET_GROUPS_EXCEPTION,
            format_args!("The maximum number of target groups, {}, has been reached", limits::TARGET_GROUPS),
        ));
    }
    Ok(TargetGroup::clone(&*tables.create(wanted.clone()).await?))
}

fn duplicate(name: &str) -> Failure {
    other(
        &errors::DUPLICATE_TARGET_GROUP_NAME_EXCEPTION,
        format_args!("A target group with the same name '{name}' exists, but with different settings"),
    )
}

async fn read(
    service: &ElbV2Service,
    context: &RequestContext,
    input: CreateTargetGroupInput,
) -> Result<TargetGroup, Failure> {
    let CreateTargetGroupInput {
        name,
        protocol: given_protocol,
        protocol_version,
        port: given_port,
        vpc_id,
        health_check_protocol,
        health_check_port,
        health_check_enabled,
        health_check_path,
        health_check_interval_seconds,
        health_check_timeout_seconds,
        healthy_threshold_count,
        unhealthy_threshold_count,
        matcher,
        target_type,
        tags: given_tags,
        ip_address_type,
        target_control_port,
    } = input;
    names::check("Target group", &name)?;
    let target_type = read_target_type(target_type)?;
    if ip_address_type == Some(wire::TargetGroupIpAddressTypeEnum::Ipv6) {
        return Err(configuration("The IP address type 'ipv6' is not supported"));
    }
    if target_control_port.is_some() {
        return Err(configuration("A target control port is not supported"));
    }
    let protocol = given_protocol.ok_or_else(|| validation("A protocol must be specified"))?;
    let protocol = protocol_of(protocol)?;
    let given_port = given_port.ok_or_else(|| validation("A port must be specified"))?;
    let protocol_version = version(protocol, protocol_version.as_deref())?;
    let check = GivenCheck {
        enabled: health_check_enabled,
        protocol: health_check_protocol,
        port: health_check_port,
        path: health_check_path,
        interval: health_check_interval_seconds,
        timeout: health_check_timeout_seconds,
        healthy_threshold: healthy_threshold_count,
        unhealthy_threshold: unhealthy_threshold_count,
        matcher,
    };
    if check.enabled == Some(false) {
        return Err(always_checked(target_type));
    }
    let vpc = vpc(service, context, vpc_id).await?;
    let defaults = default_check(protocol, protocol_version, &check)?;
    let id = service.environment().random_hex(16);
    let (region, account) = (&context.region, &context.account);
    Ok(TargetGroup {
        account: account.clone(),
        arn: format!("arn:aws:elasticloadbalancing:{region}:{account}:targetgroup/{name}/{id}"),
        name,
        protocol,
        protocol_version,
        port: port(given_port)?,
        vpc,
        target_type,
        health_check: changed_check(defaults, protocol, protocol_version, check)?,
        attributes: BTreeMap::new(),
        tags: tags::new(given_tags)?,
        created_at: context.time,
    })
}

/// The VPC that targets are in.
async fn vpc(
    service: &ElbV2Service,
    context: &RequestContext,
    id: Option<String>,
) -> Result<String, Failure> {
    let id = id.ok_or_else(|| validation("A VPC ID must be specified"))?;
    let known = if id.contains('/') {
        None
    } else {
        service.tables.get::<Vpc>(&format!("{}/{id}", context.account)).await?
    };
    if known.is_none() {
        return Err(validation(format_args!("The VPC ID '{id}' is not found")));
    }
    Ok(id)
}

fn read_target_type(given: Option<wire::TargetTypeEnum>) -> Result<TargetType, Failure> {
    match given {
        Some(wire::TargetTypeEnum::Ip) => Ok(TargetType::Ip),
        // AWS's default.
        None | Some(wire::TargetTypeEnum::Instance) => Ok(TargetType::Instance),
        Some(other) => Err(configuration(format_args!(
            "The target type '{}' is not supported; specify the target type 'ip'",
            other.as_str()
        ))),
    }
}

/// Only functions can be targets without health checks.
pub(crate) fn always_checked(target_type: TargetType) -> Failure {
    validation(format_args!(
        "Health check enabled must be true for target groups with target type '{}'",
        target_type.as_str()
    ))
}

/// A port of the model, which has the range already.
pub(crate) fn port(given: i32) -> Result<u16, Failure> {
    u16::try_from(given)
        .ok()
        .filter(|port| *port > 0)
        .ok_or_else(|| validation(format_args!("Port '{given}' must be between 1 and 65535 inclusive")))
}

/// A protocol that there is here.
pub(crate) fn protocol_of(given: wire::ProtocolEnum) -> Result<Protocol, Failure> {
    Protocol::ALL.into_iter().find(|own| own.as_str() == given.as_str()).ok_or_else(|| {
        other(
            &errors::UNSUPPORTED_PROTOCOL_EXCEPTION,
            format_args!("The protocol '{}' is not supported", given.as_str()),
        )
    })
}

fn version(protocol: Protocol, given: Option<&str>) -> Result<Option<ProtocolVersion>, Failure> {
    match (protocol.is_http(), given) {
        (true, None | Some("HTTP1")) => Ok(Some(ProtocolVersion::Http1)),
        (true, Some("HTTP2")) => Ok(Some(ProtocolVersion::Http2)),
        (true, Some("GRPC")) => Ok(Some(ProtocolVersion::Grpc)),
        (true, Some(other)) => {
            Err(validation(format_args!("Protocol version '{other}' must be one of 'HTTP1, HTTP2, GRPC'")))
        }
        (false, None) => Ok(None),
        (false, Some(_)) => Err(validation(format_args!(
            "Protocol version cannot be specified for protocol {}",
            protocol.as_str()
        ))),
    }
}

fn default_check(
    protocol: Protocol,
    version: Option<ProtocolVersion>,
    given: &GivenCheck,
) -> Result<HealthCheck, Failure> {
    let is_grpc = version == Some(ProtocolVersion::Grpc);
    let usual = if protocol.is_http() { Protocol::Http } else { Protocol::Tcp };
    let checked = given.protocol.map(check_protocol).transpose()?.unwrap_or(usual);
    let path = if is_grpc { "/AWS.ALB/healthcheck" } else { "/" };
    let matcher = match (protocol.is_http(), is_grpc) {
        (true, true) => "12",
        (true, false) => "200",
        (false, _) => "200-399",
    };
    let timeout = match (protocol.is_http(), checked) {
        (true, _) => 5,
        (false, Protocol::Http) => 6,
        (false, _) => 10,
    };
    Ok(HealthCheck {
        enabled: true,
        protocol: checked,
        port: "traffic-port".to_owned(),
        path: checked.is_http().then(|| path.to_owned()),
        interval: 30,
        timeout,
        healthy_threshold: 5,
        unhealthy_threshold: 2,
        matcher: checked.is_http().then(|| matcher.to_owned()),
    })
}

fn check_protocol(given: wire::ProtocolEnum) -> Result<Protocol, Failure> {
    match protocol_of(given)? {
        allowed @ (Protocol::Http | Protocol::Https | Protocol::Tcp) => Ok(allowed),
        wrong => Err(validation(format_args!(
            "Health check protocol '{}' must be one of 'HTTP, HTTPS, TCP'",
            wrong.as_str()
        ))),
    }
}

/// `old` with what a request says.
pub(crate) fn changed_check(
    old: HealthCheck,
    protocol: Protocol,
    version: Option<ProtocolVersion>,
    given: GivenCheck,
) -> Result<HealthCheck, Failure> {
    let mut new = old;
    if let Some(given) = given.protocol {
        new.protocol = check_protocol(given)?;
        if protocol.is_http() && !new.protocol.is_http() {
            return Err(validation(format_args!(
                "Health check protocol '{}' must be one of 'HTTP, HTTPS'",
                new.protocol.as_str()
            )));
        }
    }
    if let Some(given) = given.port {
        if given != "traffic-port" && !given.parse::<u16>().is_ok_and(|port| port > 0) {
            return Err(validation(format_args!(
                "Health check port '{given}' must be 'traffic-port' or in the range 1-65535"
            )));
        }
        new.port = given;
    }
    let is_http = new.protocol.is_http();
    if let Some(path) = given.path {
        if !is_http {
            return Err(validation("Health check path cannot be specified for protocol TCP"));
        }
        if !path.starts_with('/') || path.contains(|c: char| c.is_control() || c == ' ') {
            return Err(validation(format_args!("Health check path '{path}' must start with '/'")));
        }
        new.path = Some(path);
    }
    if let Some(matcher) = given.matcher {
        new.matcher = Some(read_matcher(matcher, is_http, version)?);
    }
    if is_http {
        new.path.get_or_insert_with(|| "/".to_owned());
        new.matcher.get_or_insert_with(|| "200-399".to_owned());
    } else {
        (new.path, new.matcher) = (None, None);
    }
    // The model has their ranges.
    let number =
        |given: Option<i32>, old: u32| given.and_then(|given| u32::try_from(given).ok()).unwrap_or(old);
    new.interval = number(given.interval, new.interval);
    new.timeout = number(given.timeout, new.timeout);
    new.healthy_threshold = number(given.healthy_threshold, new.healthy_threshold);
    new.unhealthy_threshold = number(given.unhealthy_threshold, new.unhealthy_threshold);
    let (longest, than) = if protocol.is_http() {
        (new.interval - 1, "smaller than")
    } else {
        (new.interval, "smaller than or equal to")
    };
    if new.timeout > longest {
        return match given.timeout {
            // What nobody asked for gives way.
            None => Ok(HealthCheck { timeout: longest, ..new }),
            Some(_) => Err(validation(format_args!(
                "Health check timeout '{}' must be {than} the interval '{}'",
                new.timeout, new.interval
            ))),
        };
    }
    Ok(new)
}

fn read_matcher(
    given: wire::Matcher,
    is_http: bool,
    version: Option<ProtocolVersion>,
) -> Result<String, Failure> {
    if !is_http {
        return Err(validation("Health check matcher cannot be specified for protocol TCP"));
    }
    let is_grpc = version == Some(ProtocolVersion::Grpc);
    let (codes, wrong, range) = if is_grpc {
        (given.grpc_code, given.http_code, 0..=99)
    } else {
        (given.http_code, given.grpc_code, 200..=499)
    };
    if wrong.is_some_and(|text| !text.is_empty()) {
        return Err(validation("Health check matcher does not fit the protocol version of the target group"));
    }
    let codes = codes.unwrap_or_default();
    let one = |text: &str| text.parse::<u32>().is_ok_and(|code| range.contains(&code));
    let is_right = !codes.is_empty()
        && codes.len() <= 64
        && codes.split(',').all(|part| match part.split_once('-') {
            Some((from, to)) => one(from) && one(to) && from.len() <= to.len(),
            None => one(part),
        });
    if is_right {
        Ok(codes)
    } else {
        Err(validation(format_args!(
            "Health check matcher HTTP code '{codes}' must be within '{}-{}' inclusive",
            range.start(),
            range.end()
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_have_the_defaults_of_their_protocol() {
        let check = |protocol, version, given: GivenCheck| {
            let defaults = default_check(protocol, version, &given)?;
            changed_check(defaults, protocol, version, given)
        };
        let http =
            check(Protocol::Http, Some(ProtocolVersion::Http1), GivenCheck::default()).expect("is right");
        assert_eq!(
            (http.path.as_deref(), http.matcher.as_deref(), http.timeout),
            (Some("/"), Some("200"), 5)
        );
        let tcp = check(Protocol::Tcp, None, GivenCheck::default()).expect("is right");
        assert_eq!((tcp.protocol, tcp.path, tcp.matcher, tcp.timeout), (Protocol::Tcp, None, None, 10));
        let fast = GivenCheck { interval: Some(5), ..GivenCheck::default() };
        assert_eq!(check(Protocol::Http, Some(ProtocolVersion::Http1), fast).expect("is right").timeout, 4);
        let equal = GivenCheck { interval: Some(10), timeout: Some(10), ..GivenCheck::default() };
        assert_eq!(check(Protocol::Tls, None, equal).expect("is right").timeout, 10);
        for wrong in [
            GivenCheck { port: Some("0".into()), ..GivenCheck::default() },
            GivenCheck { path: Some("x".into()), ..GivenCheck::default() },
            GivenCheck { interval: Some(5), timeout: Some(5), ..GivenCheck::default() },
            GivenCheck { protocol: Some(wire::ProtocolEnum::Tcp), ..GivenCheck::default() },
            GivenCheck {
                matcher: Some(wire::Matcher { http_code: Some("600".into()), grpc_code: None }),
                ..GivenCheck::default()
            },
        ] {
            assert!(check(Protocol::Http, Some(ProtocolVersion::Http1), wrong).is_err());
        }
    }
}
