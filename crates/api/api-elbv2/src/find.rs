//! Finding what a request names.

use crate::ElbV2Service;
use crate::errors::{
    Failure, listener_not_found, load_balancer_not_found, rule_not_found, target_group_not_found, validation,
};
use aws_wire::RequestContext;
use resources::Stored;
use resources::ec2::NetworkInterface;
use resources::elb::{Listener, LoadBalancer, LoadBalancerZone, Rule, TargetGroup};
use store::Versioned;

impl ElbV2Service {
    /// A load balancer of the caller's account.
    pub(crate) async fn load_balancer(
        &self,
        context: &RequestContext,
        arn: &str,
    ) -> Result<Versioned<LoadBalancer>, Failure> {
        let key = own_key(context, arn, LoadBalancer::key_in, "load balancer")?;
        let found = self.tables.get::<LoadBalancer>(&key).await?.filter(|row| row.arn == arn);
        found.ok_or_else(|| load_balancer_not_found(arn))
    }

    /// A listener.
    pub(crate) async fn listener(
        &self,
        context: &RequestContext,
        arn: &str,
    ) -> Result<Versioned<Listener>, Failure> {
        let key = own_key(context, arn, Listener::key_in, "listener")?;
        let found = self.tables.get::<Listener>(&key).await?.filter(|row| row.arn == arn);
        found.ok_or_else(|| listener_not_found(arn))
    }

    /// A rule beside the default one.
    pub(crate) async fn rule(&self, context: &RequestContext, arn: &str) -> Result<Versioned<Rule>, Failure> {
        self.find_rule(context, arn).await?.ok_or_else(|| rule_not_found(arn))
    }

    /// A rule beside the default one, if there is one with this ARN.
    pub(crate) async fn find_rule(
        &self,
        context: &RequestContext,
        arn: &str,
    ) -> Result<Option<Versioned<Rule>>, Failure> {
        let key = own_key(context, arn, Rule::key_in, "rule")?;
        Ok(self.tables.get::<Rule>(&key).await?.filter(|row| row.arn == arn))
    }

    /// The listener whose default rule this is.
    pub(crate) async fn listener_of_default_rule(
        &self,
        context: &RequestContext,
        arn: &str,
    ) -> Result<Option<Versioned<Listener>>, Failure> {
        let key = own_key(context, arn, Rule::key_in, "rule")?;
        let listener = key.rsplit_once('/').map_or("", |(listener, _)| listener);
        let found = self.tables.get::<Listener>(listener).await?;
        Ok(found.filter(|row| row.rule_arn(&row.default_rule) == arn))
    }

    /// A target group.
    pub(crate) async fn target_group(
        &self,
        context: &RequestContext,
        arn: &str,
    ) -> Result<Versioned<TargetGroup>, Failure> {
        let key = own_key(context, arn, TargetGroup::key_in, "target group")?;
        let found = self.tables.get::<TargetGroup>(&key).await?.filter(|row| row.arn == arn);
        found.ok_or_else(|| target_group_not_found(arn))
    }

    /// The network interfaces of a load balancer in these zones.
    pub(crate) async fn interfaces(
        &self,
        zones: &[LoadBalancerZone],
        context: &RequestContext,
    ) -> Result<Vec<Versioned<NetworkInterface>>, Failure> {
        let mut interfaces = Vec::new();
        for id in zones.iter().filter_map(|zone| zone.interface.as_ref()) {
            interfaces
                .extend(self.tables.get::<NetworkInterface>(&format!("{}/{id}", context.account)).await?);
        }
        Ok(interfaces)
    }

    /// The listeners of a load balancer, in the order of their ids.
    pub(crate) async fn listeners_of(
        &self,
        load_balancer: &LoadBalancer,
    ) -> Result<Vec<Versioned<Listener>>, Failure> {
        Ok(self.tables.list_all::<Listener>(&format!("{}/", load_balancer.key())).await?)
    }

    /// The rules of a listener beside the default one, the first to be tried first.
    pub(crate) async fn rules_of(&self, listener: &Listener) -> Result<Vec<Versioned<Rule>>, Failure> {
        let mut rules = self.tables.list_all::<Rule>(&format!("{}/", listener.key())).await?;
        rules.sort_by_key(|rule| rule.priority);
        Ok(rules)
    }
}

fn own_key(
    context: &RequestContext,
    arn: &str,
    key: fn(&str) -> Option<String>,
    what: &str,
) -> Result<String, Failure> {
    let own = format!("{}/", context.account);
    key(arn)
        .filter(|key| key.starts_with(&own))
        .ok_or_else(|| validation(format_args!("'{arn}' is not a valid {what} ARN")))
}
