//! ModifyListener.

use crate::errors::Failure;
use crate::operations::create_listener::{
    alpn_policy, clashes, default_certificate, duplicate, listener_protocol, refuse_mutual, ssl_policy,
};
use crate::operations::create_target_group::port;
use crate::retry::retrying;
use crate::shapes::{ModifyListenerInput, ModifyListenerOutput};
use crate::{ElbV2Service, actions, render};
use aws_wire::RequestContext;
use resources::elb::{Listener, LoadBalancer};

pub(crate) async fn run(
    service: &ElbV2Service,
    context: &RequestContext,
    input: ModifyListenerInput,
) -> Result<ModifyListenerOutput, Failure> {
    refuse_mutual(input.mutual_authentication.as_ref())?;
    let row = retrying!(attempt(service, context, &input))?;
    Ok(ModifyListenerOutput { listeners: Some(vec![render::listener(&row)]) })
}

async fn attempt(
    service: &ElbV2Service,
    context: &RequestContext,
    input: &ModifyListenerInput,
) -> Result<Listener, Failure> {
    let old = service.listener(context, &input.listener_arn).await?;
    let balancer = service.load_balancer(context, &old.load_balancer_arn).await?;
    let mut new = Listener::clone(&old);
    if let Some(given) = input.protocol {
        new.protocol = listener_protocol(&balancer, given)?;
    }
    if let Some(given) = input.port {
        new.port = port(given)?;
    }
    let certificates =
        service.certificates(context, input.certificates.as_deref().unwrap_or_default()).await?;
    if !new.protocol.is_secure() && input.certificates.is_none() {
        new.certificates.clear();
    } else if input.certificates.is_some() || new.certificates.is_empty() {
        let given = certificates.iter().map(|(own, _)| own.clone()).collect();
        let default = default_certificate(new.protocol, given)?;
        // The others stay beside the new default.
        let others: Vec<_> =
            new.certificates.iter().skip(1).filter(|own| !default.contains(own)).cloned().collect();
        new.certificates = default.into_iter().chain(others).collect();
    }
    let policy = match (&input.ssl_policy, new.protocol.is_secure()) {
        (Some(given), _) => Some(given.as_str()),
        (None, true) => old.ssl_policy.as_deref(),
        (None, false) => None,
    };
    new.ssl_policy = ssl_policy(new.protocol, policy)?;
    if input.alpn_policy.is_some() {
        new.alpn_policy = alpn_policy(new.protocol, input.alpn_policy.as_deref())?;
    }
    if let Some(given) = &input.default_actions {
        new.default_actions = actions::read(balancer.kind, given.clone())?;
    }
    let others = service.listeners_of(&balancer).await?;
    if others.iter().any(|other| other.id != new.id && clashes(other, new.port, new.protocol)) {
        return Err(duplicate(&balancer.arn));
    }
    let mut batch = service.tables.batch().replace(&balancer, &LoadBalancer::clone(&balancer));
    for (_, certificate) in &certificates {
        batch = batch.require_exists(certificate);
    }
    let batch = service.require_groups(context, &balancer, new.protocol, &new.default_actions, batch).await?;
    batch.replace(&old, &new).commit().await?;
    Ok(new)
}
