//! CreateListener, and how its settings are read.

use crate::errors::{Failure, other, validation};
use crate::operations::create_target_group::{port, protocol_of};
use crate::retry::retrying;
use crate::shapes as wire;
use crate::shapes::{CreateListenerInput, CreateListenerOutput, errors};
use crate::{ElbV2Service, actions, limits, render, ssl_policies, tags};
use aws_wire::RequestContext;
use resources::elb::{Listener, ListenerCertificate, LoadBalancer, LoadBalancerKind, Protocol};
use std::collections::BTreeMap;

/// ALPN policies of TLS listeners.
const ALPN_POLICIES: [&str; 5] = ["HTTP1Only", "HTTP2Only", "HTTP2Optional", "HTTP2Preferred", "None"];

pub(crate) async fn run(
    service: &ElbV2Service,
    context: &RequestContext,
    input: CreateListenerInput,
) -> Result<CreateListenerOutput, Failure> {
    refuse_mutual(input.mutual_authentication.as_ref())?;
    let row = retrying!(attempt(service, context, &input))?;
    Ok(CreateListenerOutput { listeners: Some(vec![render::listener(&row)]) })
}

async fn attempt(
    service: &ElbV2Service,
    context: &RequestContext,
    input: &CreateListenerInput,
) -> Result<Listener, Failure> {
    let balancer = service.load_balancer(context, &input.load_balancer_arn).await?;
    let protocol = input.protocol.ok_or_else(|| validation("A listener protocol must be specified"))?;
    let given_port = input.port.ok_or_else(|| validation("A listener port must be specified"))?;
    let protocol = listener_protocol(&balancer, protocol)?;
    let given_port = port(given_port)?;
    let certificates =
        service.certificates(context, input.certificates.as_deref().unwrap_or_default()).await?;
    let id = service.environment().random_hex(16);
    let arn = balancer.arn.replacen(":loadbalancer/", ":listener/", 1);
    let row = Listener {
        account: context.account.clone(),
        load_balancer: balancer.name.clone(),
        load_balancer_arn: balancer.arn.clone(),
        arn: format!("{arn}/{id}"),
        id,
        protocol,
        port: given_port,
        ssl_policy: ssl_policy(protocol, input.ssl_policy.as_deref())?,
        alpn_policy: alpn_policy(protocol, input.alpn_policy.as_deref())?,
        certificates: default_certificate(
            protocol,
            certificates.iter().map(|(own, _)| own.clone()).collect(),
        )?,
        default_rule: service.environment().random_hex(16),
        default_actions: actions::read(balancer.kind, input.default_actions.clone())?,
        default_rule_tags: Vec::new(),
        attributes: BTreeMap::new(),
        tags: tags::new(input.tags.clone())?,
        created_at: context.time,
    };
    let others = service.listeners_of(&balancer).await?;
    if let Some(old) = others.iter().find(|old| clashes(old, row.port, row.protocol)) {
        let is_same = (old.protocol, old.port) == (row.protocol, row.port)
            && old.certificates == row.certificates
            && old.default_actions == row.default_actions
            && old.ssl_policy == row.ssl_policy;
        return if is_same { Ok(Listener::clone(old)) } else { Err(duplicate(&balancer.arn)) };
    }
    if others.len() >= limits::LISTENERS {
        return Err(other(
            &errors::TOO_MANY_LISTENERS_EXCEPTION,
            format_args!("The load balancer cannot have more than {} listeners", limits::LISTENERS),
        ));
    }
    // The load balancer is written as it is, so that no other listener comes to the port at the same time.
    let mut batch = service.tables.batch().replace(&balancer, &LoadBalancer::clone(&balancer));
    for (_, certificate) in &certificates {
        batch = batch.require_exists(certificate);
    }
    let batch = service.require_groups(context, &balancer, protocol, &row.default_actions, batch).await?;
    batch.create(&row).commit().await?;
    Ok(row)
}

/// Whether a listener has a port already, for the same kind of packets.
pub(crate) fn clashes(old: &Listener, port: u16, protocol: Protocol) -> bool {
    let tcp = |protocol| protocol != Protocol::Udp;
    let udp = |protocol| matches!(protocol, Protocol::Udp | Protocol::TcpUdp);
    old.port == port && ((tcp(old.protocol) && tcp(protocol)) || (udp(old.protocol) && udp(protocol)))
}

/// The port is taken.
pub(crate) fn duplicate(load_balancer: &str) -> Failure {
    other(
        &errors::DUPLICATE_LISTENER_EXCEPTION,
        format_args!("A listener already exists on this port for this load balancer '{load_balancer}'"),
    )
}

/// A protocol that listeners of a load balancer can have.
pub(crate) fn listener_protocol(
    balancer: &LoadBalancer,
    given: wire::ProtocolEnum,
) -> Result<Protocol, Failure> {
    let is_http = balancer.kind == LoadBalancerKind::Application;
    if let Ok(protocol) = protocol_of(given)
        && protocol.is_http() == is_http
    {
        return Ok(protocol);
    }
    let allowed = if is_http { "HTTP, HTTPS" } else { "UDP, TCP, TLS, TCP_UDP" };
    Err(validation(format_args!("Listener protocol '{}' must be one of '{allowed}'", given.as_str())))
}

/// The security policy of a listener.
pub(crate) fn ssl_policy(protocol: Protocol, given: Option<&str>) -> Result<Option<String>, Failure> {
    match (protocol.is_secure(), given.filter(|name| !name.is_empty())) {
        (true, None) => Ok(Some(ssl_policies::DEFAULT.to_owned())),
        (true, Some(name)) if ssl_policies::is_offered(name) => Ok(Some(name.to_owned())),
        (true, Some(name)) => {
            Err(other(&errors::SSL_POLICY_NOT_FOUND_EXCEPTION, format_args!("SSL policy '{name}' not found")))
        }
        (false, None) => Ok(None),
        (false, Some(_)) => Err(validation(format_args!(
            "An SSL policy cannot be specified for {} listeners",
            protocol.as_str()
        ))),
    }
}

/// The ALPN policy of a listener.
pub(crate) fn alpn_policy(protocol: Protocol, given: Option<&[String]>) -> Result<Option<String>, Failure> {
    match given.unwrap_or_default() {
        [] => Ok(None),
        [name] if protocol == Protocol::Tls && ALPN_POLICIES.contains(&name.as_str()) => {
            Ok(Some(name.clone()))
        }
        [name] if protocol == Protocol::Tls => Err(other(
            &errors::ALPN_POLICY_NOT_SUPPORTED_EXCEPTION,
            format_args!("The ALPN policy '{name}' is not supported"),
        )),
        [_] => Err(validation("An ALPN policy can be specified for TLS listeners only")),
        _ => Err(validation("One ALPN policy can be specified")),
    }
}

/// The default certificate of a listener.
pub(crate) fn default_certificate(
    protocol: Protocol,
    given: Vec<ListenerCertificate>,
) -> Result<Vec<ListenerCertificate>, Failure> {
    match (protocol.is_secure(), given.len()) {
        (true, 0) => Err(validation(format_args!(
            "A certificate must be specified for {} listeners",
            protocol.as_str()
        ))),
        (true, 1) | (false, 0) => Ok(given),
        (true, _) => {
            Err(validation("Exactly one certificate must be specified; add others to the listener later"))
        }
        (false, _) => Err(validation(format_args!(
            "A certificate cannot be specified for {} listeners",
            protocol.as_str()
        ))),
    }
}

/// Mutual authentication is not built.
pub(crate) fn refuse_mutual(given: Option<&wire::MutualAuthenticationAttributes>) -> Result<(), Failure> {
    let mode = given.and_then(|given| given.mode.as_deref()).unwrap_or("off");
    if mode == "off" {
        return Ok(());
    }
    Err(crate::errors::configuration("Mutual authentication is not supported"))
}
