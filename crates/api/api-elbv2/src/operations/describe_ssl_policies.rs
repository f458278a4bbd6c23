//! DescribeSSLPolicies.

use crate::errors::{Failure, other};
use crate::shapes::{Cipher, DescribeSSLPoliciesInput, DescribeSSLPoliciesOutput, SslPolicy, errors};
use crate::{ElbV2Service, paging, ssl_policies};
use aws_wire::RequestContext;

#[expect(clippy::unused_async, reason = "operations are called alike")]
pub(crate) async fn run(
    _service: &ElbV2Service,
    _context: &RequestContext,
    input: DescribeSSLPoliciesInput,
) -> Result<DescribeSSLPoliciesOutput, Failure> {
    let names = input.names.unwrap_or_default();
    let unknown = names.iter().find(|name| !ssl_policies::ALL.iter().any(|policy| policy.name == *name));
    if let Some(unknown) = unknown {
        return Err(other(
            &errors::SSL_POLICY_NOT_FOUND_EXCEPTION,
            format_args!("SSL policy '{unknown}' not found"),
        ));
    }
    let policies = ssl_policies::ALL.iter();
    let asked = policies.filter(|policy| names.is_empty() || names.iter().any(|name| name == policy.name));
    let (rows, next_marker) =
        paging::cut(asked.collect(), input.marker.as_deref(), input.page_size, |policy| {
            policy.name.to_owned()
        })?;
    let ssl_policies = Some(rows.into_iter().map(shown).collect());
    Ok(DescribeSSLPoliciesOutput { ssl_policies, next_marker })
}

fn shown(policy: &ssl_policies::SslPolicy) -> SslPolicy {
    let texts = |texts: Vec<&str>| Some(texts.into_iter().map(str::to_owned).collect());
    let ciphers = policy.ciphers().into_iter().zip(1..);
    SslPolicy {
        name: Some(policy.name.to_owned()),
        ssl_protocols: texts(policy.protocols()),
        ciphers: Some(
            ciphers
                .map(|(name, priority)| Cipher { name: Some(name.to_owned()), priority: Some(priority) })
                .collect(),
        ),
        supported_load_balancer_types: texts(vec!["application", "network"]),
    }
}
