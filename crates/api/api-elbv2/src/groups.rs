//! Which load balancers use a target group.

use crate::ElbV2Service;
use crate::errors::{Failure, other};
use crate::shapes::errors;
use aws_wire::RequestContext;
use resources::elb::{Action, Listener, LoadBalancer, LoadBalancerKind, Protocol, Rule, TargetGroup};
use std::collections::{BTreeMap, BTreeSet};
use store::{Batch, Versioned};

/// Most target groups of one load balancer.
const MOST_OF_LOAD_BALANCER: usize = 100;

/// ARNs of load balancers by the ARN of a target group that they use.
pub(crate) type Users = BTreeMap<String, BTreeSet<String>>;

impl ElbV2Service {
    /// Who uses which target groups in an account.
    pub(crate) async fn users(&self, context: &RequestContext) -> Result<Users, Failure> {
        let prefix = format!("{}/", context.account);
        let mut users = Users::new();
        let mut add = |actions: &[Action], load_balancer: &str| {
            for group in actions.iter().flat_map(Action::target_groups) {
                users.entry(group.to_owned()).or_default().insert(load_balancer.to_owned());
            }
        };
        let mut arns = BTreeMap::new();
        for listener in self.tables.list_all::<Listener>(&prefix).await? {
            add(&listener.default_actions, &listener.load_balancer_arn);
            arns.insert(listener.load_balancer.clone(), listener.load_balancer_arn.clone());
        }
        for rule in self.tables.list_all::<Rule>(&prefix).await? {
            if let Some(arn) = arns.get(&rule.load_balancer) {
                add(&rule.actions, arn);
            }
        }
        Ok(users)
    }

    /// Lets the actions of a listener or rule be written only while their target groups are there, fit, and are used by no
    /// other load balancer.
    pub(crate) async fn require_groups(
        &self,
        context: &RequestContext,
        load_balancer: &LoadBalancer,
        listener: Protocol,
        actions: &[Action],
        mut batch: Batch,
    ) -> Result<Batch, Failure> {
        let named: BTreeSet<&str> = actions.iter().flat_map(Action::target_groups).collect();
        if named.is_empty() {
            return Ok(batch);
        }
        let users = self.users(context).await?;
        for arn in &named {
            let group = self.target_group(context, arn).await?;
            check_protocols(load_balancer.kind, listener, &group)?;
            let used =
                users.get(*arn).is_some_and(|users| users.iter().any(|user| *user != load_balancer.arn));
            if used {
                return Err(other(
                    &errors::TARGET_GROUP_ASSOCIATION_LIMIT_EXCEPTION,
                    format_args!(
                        "The following target groups cannot be associated with more than one load balancer: {arn}"
                    ),
                ));
            }
            // Written as it is: deleting it, or using it elsewhere, at the same time does not work.
            batch = batch.replace(&group, &TargetGroup::clone(&group));
        }
        let own =
            users.iter().filter(|(_, users)| users.contains(&load_balancer.arn)).map(|(arn, _)| arn.as_str());
        if own.chain(named).collect::<BTreeSet<_>>().len() > MOST_OF_LOAD_BALANCER {
            return Err(other(
                &errors::TOO_MANY_UNIQUE_TARGET_GROUPS_PER_LOAD_BALANCER_EXCEPTION,
                format_args!("The load balancer cannot have more than {MOST_OF_LOAD_BALANCER} target groups"),
            ));
        }
        Ok(batch)
    }
}

fn check_protocols(
    kind: LoadBalancerKind,
    listener: Protocol,
    group: &Versioned<TargetGroup>,
) -> Result<(), Failure> {
    use Protocol::{Tcp, TcpUdp, Tls, Udp};
    let fits = match kind {
        LoadBalancerKind::Application => group.protocol.is_http(),
        LoadBalancerKind::Network => matches!(
            (listener, group.protocol),
            (Tcp | Udp | TcpUdp, TcpUdp) | (Tcp, Tcp) | (Udp, Udp) | (Tls, Tcp | Tls)
        ),
    };
    if fits {
        return Ok(());
    }
    Err(other(
        &errors::INCOMPATIBLE_PROTOCOLS_EXCEPTION,
        format_args!(
            "The target group '{}' with protocol {} cannot be used with a listener of protocol {}",
            group.arn,
            group.protocol.as_str(),
            listener.as_str()
        ),
    ))
}
