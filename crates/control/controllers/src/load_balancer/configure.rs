//! What the data plane is told, out of rows. Pure.

use super::observe::Rows;
use super::{Settings, Wanted};
use ipnet::IpNet;
use load_balancing::{self as plane, AccessLog, Kind};
use resources::elb::{
    Action, Condition, Forward, Listener, LoadBalancer, LoadBalancerKind, Protocol, ProtocolVersion, Rule,
    Target, TargetGroup,
};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// ARN of what is reached on the loopback address; no load balancer has it.
pub(super) const LOOPBACK: &str = "arn:aws:elasticloadbalancing:::loadbalancer/app/loopback/0000000000000000";
/// The security policy without TLS 1.2.
const ONLY_TLS13: &str = "ELBSecurityPolicy-TLS13-1-3-2021-06";
/// Ending of attributes that are headers of responses, and their beginning.
const HEADER: (&str, &str) = ("routing.http.response.", ".header_value");

/// What a host is to do for these rows.
pub(super) fn wanted(rows: &Rows, settings: &Settings) -> Wanted {
    let mut configuration = plane::Configuration::default();
    let mut names = BTreeMap::new();
    for row in &rows.balancers {
        let addresses: Vec<Ipv4Addr> = row.addresses().collect();
        if addresses.is_empty() {
            continue;
        }
        configuration.load_balancers.push(load_balancer(rows, row, &addresses, settings));
        names.extend(rows.other_names(row).map(|name| (name.to_owned(), addresses.clone())));
        names.insert(row.dns_name.clone(), addresses);
    }
    if settings.loopback {
        configuration.load_balancers.extend(loopback(rows, &configuration.load_balancers));
    }
    let used = rows.used_groups();
    let groups = rows.groups.iter().filter(|group| used.contains(group.arn.as_str()));
    configuration.target_groups = groups.map(|group| target_group(rows, group)).collect();
    Wanted { configuration, names }
}

fn load_balancer(
    rows: &Rows,
    row: &LoadBalancer,
    addresses: &[Ipv4Addr],
    settings: &Settings,
) -> plane::LoadBalancer {
    let own = rows.listeners.iter().filter(|own| own.load_balancer_arn == row.arn);
    plane::LoadBalancer {
        arn: row.arn.clone(),
        kind: match row.kind {
            LoadBalancerKind::Application => Kind::Application,
            LoadBalancerKind::Network => Kind::Network,
        },
        addresses: addresses.iter().copied().map(IpAddr::V4).collect(),
        listeners: own.filter_map(|own| listener(rows, own)).collect(),
        http: http_attributes(row),
        access_log: access_log(row, settings),
        proxy_log: None,
    }
}

fn http_attributes(row: &LoadBalancer) -> plane::HttpAttributes {
    let is = |key: &str, default: bool| row.attribute(key).map_or(default, |value| value == "true");
    let number =
        |key: &str, default: u32| row.attribute(key).and_then(|text| text.parse().ok()).unwrap_or(default);
    plane::HttpAttributes {
        idle_timeout_seconds: number("idle_timeout.timeout_seconds", 60),
        client_keep_alive_seconds: number("client_keep_alive.seconds", 3_600),
        http2: is("routing.http2.enabled", true),
        drop_invalid_header_fields: is("routing.http.drop_invalid_header_fields.enabled", false),
        preserve_host_header: is("routing.http.preserve_host_header.enabled", false),
        desync: match row.attribute("routing.http.desync_mitigation_mode") {
            Some("monitor") => plane::Desync::Monitor,
            Some("strictest") => plane::Desync::Strictest,
            _ => plane::Desync::Defensive,
        },
        forwarded_for: match row.attribute("routing.http.xff_header_processing.mode") {
            Some("preserve") => plane::ForwardedFor::Preserve,
            Some("remove") => plane::ForwardedFor::Remove,
            _ => plane::ForwardedFor::Append,
        },
        forwarded_for_port: is("routing.http.xff_client_port.enabled", false),
        tls_headers: is("routing.http.x_amzn_tls_version_and_cipher_suite.enabled", false),
        is_proxy: false,
    }
}

/// Access logs lie where AWS would put them in the bucket.
fn access_log(row: &LoadBalancer, settings: &Settings) -> Option<AccessLog> {
    if row.attribute("access_logs.s3.enabled") != Some("true") {
        return None;
    }
    let bucket = row.attribute("access_logs.s3.bucket")?;
    let prefix = row.attribute("access_logs.s3.prefix").unwrap_or_default();
    // The API lets no `..` through; what is left is names and slashes.
    let parts = [bucket, prefix].into_iter().flat_map(|text| text.split('/')).filter(|part| !part.is_empty());
    let mut directory = settings.access_logs.clone();
    directory.extend(parts);
    directory.extend(["AWSLogs", row.account.as_str(), "elasticloadbalancing", settings.region.as_str()]);
    directory.push(row.dns_name.split('.').next().unwrap_or(&row.name));
    Some(AccessLog::in_directory(directory))
}

fn listener(rows: &Rows, row: &Listener) -> Option<plane::Listener> {
    let action = action(row.default_actions.first()?);
    let mut out = plane::Listener::new(row.arn.clone(), protocol(row.protocol), row.port, action);
    let certificates = row.certificates.iter();
    out.certificates = certificates.filter_map(|own| rows.certificates.get(&own.arn).cloned()).collect();
    if row.ssl_policy.as_deref() == Some(ONLY_TLS13) {
        out.minimum_tls = plane::TlsVersion::V1_3;
    }
    let alpn: &[&str] = match row.alpn_policy.as_deref() {
        Some("HTTP1Only") => &["http/1.1"],
        Some("HTTP2Only") => &["h2"],
        Some("HTTP2Optional") => &["http/1.1", "h2"],
        Some("HTTP2Preferred") => &["h2", "http/1.1"],
        _ => &[],
    };
    out.alpn = alpn.iter().map(|&name| name.to_owned()).collect();
    let own = rows.rules.iter().filter(|rule| {
        rule.account == row.account && rule.load_balancer == row.load_balancer && rule.listener == row.id
    });
    out.rules = own.filter_map(|own| rule(own)).collect();
    out.rules.sort_by_key(|rule| rule.priority);
    if let Some(seconds) = row.attributes.get("tcp.idle_timeout.seconds").and_then(|text| text.parse().ok()) {
        out.tcp_idle_timeout_seconds = seconds;
    }
    out.server_header =
        row.attributes.get("routing.http.response.server.enabled").is_none_or(|v| v == "true");
    out.response_headers = row.attributes.iter().filter_map(|(key, value)| header(key, value)).collect();
    Some(out)
}

fn header(key: &str, value: &str) -> Option<(String, String)> {
    let name = key.strip_prefix(HEADER.0)?.strip_suffix(HEADER.1)?;
    Some((name.replace('_', "-"), value.to_owned()))
}

fn protocol(protocol: Protocol) -> plane::Protocol {
    match protocol {
        Protocol::Http => plane::Protocol::Http,
        Protocol::Https => plane::Protocol::Https,
        Protocol::Tcp => plane::Protocol::Tcp,
        Protocol::Tls => plane::Protocol::Tls,
        Protocol::Udp => plane::Protocol::Udp,
        Protocol::TcpUdp => plane::Protocol::TcpUdp,
    }
}

fn rule(row: &Rule) -> Option<plane::Rule> {
    Some(plane::Rule {
        arn: row.arn.clone(),
        priority: row.priority,
        conditions: row.conditions.iter().map(condition).collect(),
        action: action(row.actions.first()?),
    })
}

fn condition(condition: &Condition) -> plane::Condition {
    match condition {
        Condition::PathPattern(values) => plane::Condition::PathPattern(values.clone()),
        Condition::HostHeader(values) => plane::Condition::HostHeader(values.clone()),
        Condition::HttpHeader { name, values } => {
            plane::Condition::HttpHeader { name: name.clone(), values: values.clone() }
        }
        Condition::HttpRequestMethod(values) => plane::Condition::HttpRequestMethod(values.clone()),
        Condition::QueryString(pairs) => plane::Condition::QueryString(
            pairs
                .iter()
                .map(|pair| plane::QueryPair { key: pair.key.clone(), value: pair.value.clone() })
                .collect(),
        ),
        Condition::SourceIp(values) => {
            plane::Condition::SourceIp(values.iter().filter_map(|text| range(text)).collect())
        }
    }
}

fn range(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

fn action(action: &Action) -> plane::Action {
    match action {
        Action::Forward(own) => plane::Action::Forward(forward(own)),
        Action::Redirect(own) => plane::Action::Redirect(plane::Redirect {
            protocol: own.protocol.clone(),
            host: own.host.clone(),
            port: own.port.clone(),
            path: own.path.clone(),
            query: own.query.clone(),
            status: if own.permanent { 301 } else { 302 },
        }),
        Action::FixedResponse(own) => plane::Action::FixedResponse(plane::FixedResponse {
            status: own.status,
            content_type: own.content_type.clone(),
            body: own.body.clone(),
        }),
    }
}

fn forward(own: &Forward) -> plane::Forward {
    let sticky = own.stickiness.filter(|sticky| sticky.enabled);
    plane::Forward {
        target_groups: own
            .target_groups
            .iter()
            .map(|group| plane::WeightedTargetGroup { arn: group.arn.clone(), weight: group.weight })
            .collect(),
        stickiness_seconds: sticky.and_then(|sticky| sticky.seconds),
    }
}

fn target_group(rows: &Rows, row: &TargetGroup) -> plane::TargetGroup {
    let targets = rows.targets.iter().filter(|target| target.target_group_arn == row.arn);
    plane::TargetGroup {
        arn: row.arn.clone(),
        protocol: protocol(row.protocol),
        protocol_version: match row.protocol_version {
            None | Some(ProtocolVersion::Http1) => plane::ProtocolVersion::Http1,
            Some(ProtocolVersion::Http2) => plane::ProtocolVersion::Http2,
            Some(ProtocolVersion::Grpc) => plane::ProtocolVersion::Grpc,
        },
        health_check: health_check(row),
        attributes: group_attributes(row),
        source: source(rows, row),
        targets: targets.map(|target| self::target(target)).collect(),
    }
}

/// Targets are reached from the first address of their load balancer where it has security groups: theirs may name those.
/// Without, the machine reaches them.
fn source(rows: &Rows, row: &TargetGroup) -> Option<IpAddr> {
    let forwards =
        |actions: &[Action]| actions.iter().flat_map(Action::target_groups).any(|arn| arn == row.arn);
    let by_listener = |own: &LoadBalancer| {
        rows.listeners.iter().any(|one| one.load_balancer_arn == own.arn && forwards(&one.default_actions))
    };
    let by_rule = |own: &LoadBalancer| {
        rows.rules
            .iter()
            .any(|one| one.account == own.account && one.load_balancer == own.name && forwards(&one.actions))
    };
    let mut own = rows.balancers.iter().filter(|own| !own.security_groups.is_empty());
    own.find(|own| by_listener(own) || by_rule(own)).and_then(|own| own.addresses().next()).map(IpAddr::V4)
}

fn health_check(row: &TargetGroup) -> plane::HealthCheck {
    let check = &row.health_check;
    let everything = if row.protocol_version == Some(ProtocolVersion::Grpc) { "12" } else { "200" };
    let matcher = check.matcher.as_deref().and_then(|text| text.parse().ok());
    plane::HealthCheck {
        enabled: check.enabled,
        protocol: match check.protocol {
            Protocol::Http => plane::HealthCheckProtocol::Http,
            Protocol::Https => plane::HealthCheckProtocol::Https,
            Protocol::Tls => plane::HealthCheckProtocol::Tls,
            Protocol::Tcp | Protocol::Udp | Protocol::TcpUdp => plane::HealthCheckProtocol::Tcp,
        },
        port: check.port.parse().map_or(plane::HealthCheckPort::TrafficPort, plane::HealthCheckPort::Port),
        path: check.path.clone().unwrap_or_else(|| "/".to_owned()),
        interval_seconds: check.interval,
        timeout_seconds: check.timeout,
        healthy_threshold: check.healthy_threshold,
        unhealthy_threshold: check.unhealthy_threshold,
        // Without one for checks of connections, which look at no code.
        matcher: matcher.unwrap_or_else(|| everything.parse().expect("a code is a matcher")),
    }
}

fn group_attributes(row: &TargetGroup) -> plane::TargetGroupAttributes {
    let is = |key: &str, default: bool| row.attribute(key).map_or(default, |value| value == "true");
    let number =
        |key: &str, default: u32| row.attribute(key).and_then(|text| text.parse().ok()).unwrap_or(default);
    let health = "target_group_health.unhealthy_state_routing.minimum_healthy_targets";
    plane::TargetGroupAttributes {
        deregistration_delay_seconds: row.deregistration_delay(),
        connection_termination: is("deregistration_delay.connection_termination.enabled", false),
        slow_start_seconds: number("slow_start.duration_seconds", 0),
        stickiness: is("stickiness.enabled", false).then(|| match row.attribute("stickiness.type") {
            Some("app_cookie") => plane::Stickiness::AppCookie {
                name: row.attribute("stickiness.app_cookie.cookie_name").unwrap_or_default().to_owned(),
                seconds: number("stickiness.app_cookie.duration_seconds", 86_400),
            },
            _ if !row.protocol.is_http() => plane::Stickiness::SourceIp,
            _ => plane::Stickiness::LbCookie {
                seconds: number("stickiness.lb_cookie.duration_seconds", 86_400),
            },
        }),
        algorithm: match row.attribute("load_balancing.algorithm.type") {
            Some("least_outstanding_requests") => plane::Algorithm::LeastOutstandingRequests,
            Some("weighted_random") => plane::Algorithm::WeightedRandom,
            _ => plane::Algorithm::RoundRobin,
        },
        proxy_protocol_v2: is("proxy_protocol_v2.enabled", false),
        minimum_healthy_count: number(&format!("{health}.count"), 1),
        // `off` is no number.
        minimum_healthy_percentage: number(&format!("{health}.percentage"), 0),
        terminate_unhealthy: is("target_health_state.unhealthy.connection_termination.enabled", true),
        outlier_detection: None,
        connect_timeout_millis: None,
        request_timeout_seconds: None,
    }
}

fn target(row: &Target) -> plane::Target {
    plane::Target {
        id: row.address.to_string(),
        address: row.address,
        port: row.port,
        draining_since: row.draining_since,
    }
}

/// One more load balancer for all application load balancers together, on the loopback addresses: programs that take every
/// name under `.localhost` for this machine, curl and browsers among them, find each by its name.
fn loopback(rows: &Rows, balancers: &[plane::LoadBalancer]) -> Option<plane::LoadBalancer> {
    let mut listeners: BTreeMap<u16, plane::Listener> = BTreeMap::new();
    for row in rows.balancers.iter().filter(|row| row.kind == LoadBalancerKind::Application) {
        let Some(own) = balancers.iter().find(|own| own.arn == row.arn) else { continue };
        for listener in &own.listeners {
            let shared = listeners.entry(listener.port).or_insert_with(|| {
                let arn = format!("{LOOPBACK}/{}", listener.port);
                plane::Listener::new(arn, listener.protocol, listener.port, nobody())
            });
            if shared.protocol != listener.protocol {
                continue;
            }
            shared.minimum_tls = listener.minimum_tls;
            for certificate in &listener.certificates {
                if !shared.certificates.contains(certificate) {
                    shared.certificates.push(certificate.clone());
                }
            }
            let mut names = vec![row.dns_name.clone(), format!("*.{}", row.dns_name)];
            names.extend(rows.other_names(row).map(str::to_owned));
            let host = || plane::Condition::HostHeader(names.clone());
            let mut rules = listener.rules.clone();
            rules.push(plane::Rule {
                arn: listener.arn.clone(),
                priority: u32::MAX,
                conditions: Vec::new(),
                action: listener.default_action.clone(),
            });
            for mut rule in rules {
                rule.conditions.push(host());
                rule.priority = u32::try_from(shared.rules.len()).unwrap_or(u32::MAX) + 1;
                shared.rules.push(rule);
            }
        }
    }
    (!listeners.is_empty()).then(|| plane::LoadBalancer {
        arn: LOOPBACK.to_owned(),
        kind: Kind::Application,
        addresses: vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)],
        listeners: listeners.into_values().collect(),
        http: plane::HttpAttributes::default(),
        access_log: None,
        proxy_log: None,
    })
}

/// What is answered for a name that no load balancer has.
fn nobody() -> plane::Action {
    plane::Action::FixedResponse(plane::FixedResponse {
        status: 404,
        content_type: Some("text/plain".to_owned()),
        body: Some("No load balancer has this name.\n".to_owned()),
    })
}
