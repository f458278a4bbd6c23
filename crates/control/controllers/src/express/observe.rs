//! Reads what there is of an express service.

use super::ExpressController;
use resources::Stored;
use resources::ec2::SecurityGroup;
use resources::ecs::{ExpressGateway, ExpressService, Service, ServiceStatus};
use resources::elb::{Condition, Listener, LoadBalancer, Rule, TargetGroup};
use resources::iam::{ServerCertificate, key_of};
use resources::logs::LogGroup;
use std::collections::BTreeMap;
use store::{StoreError, Tables, Versioned};

/// Port of the listener.
pub(super) const PORT: u16 = 443;

/// What there is.
pub(super) struct Observed {
    pub(super) express: Versioned<ExpressService>,
    /// Its service, and not another of the same name.
    pub(super) service: Option<Versioned<Service>>,
    pub(super) gateway: Option<Versioned<ExpressGateway>>,
    pub(super) has_log_group: bool,
    pub(super) balancer: Option<Versioned<LoadBalancer>>,
    pub(super) listener: Option<Versioned<Listener>>,
    /// Rules of the listener.
    pub(super) rules: Vec<Versioned<Rule>>,
    /// The group of the load balancer.
    pub(super) gateway_group: Option<Versioned<SecurityGroup>>,
    /// The group of the tasks.
    pub(super) tasks_group: Option<Versioned<SecurityGroup>>,
    /// The default certificate of the listener.
    pub(super) gateway_certificate: Option<Versioned<ServerCertificate>>,
    pub(super) certificate: Option<Versioned<ServerCertificate>>,
    /// Its target groups that there are, the replaced ones among them, by name.
    pub(super) target_groups: BTreeMap<String, Versioned<TargetGroup>>,
}

impl Observed {
    /// Whether the service keeps tasks running.
    pub(super) fn is_active(&self) -> bool {
        self.service.as_ref().is_some_and(|service| service.status == ServiceStatus::Active)
    }

    /// Whether tasks of the service may be left.
    pub(super) fn is_draining(&self) -> bool {
        self.service.as_ref().is_some_and(|service| service.status == ServiceStatus::Draining)
    }

    /// The rule of the service.
    pub(super) fn rule(&self) -> Option<&Versioned<Rule>> {
        let is_own = |condition: &Condition| match condition {
            Condition::HostHeader(hosts) => hosts.contains(&self.express.host),
            _ => false,
        };
        self.rules.iter().find(|rule| rule.conditions.iter().any(is_own))
    }
}

impl ExpressController {
    /// `None` when there is no such express service.
    pub(super) async fn observe(&self, key: &str) -> Result<Option<Observed>, StoreError> {
        let tables = &self.tables;
        let Some(express) = tables.get::<ExpressService>(key).await? else { return Ok(None) };
        let account = &express.account;
        let service = tables.get::<Service>(key).await?;
        let service = service.filter(|own| own.express && own.created_at == express.service_created_at);
        let gateway = match &express.gateway {
            Some(name) => tables.get::<ExpressGateway>(&format!("{account}/{name}")).await?,
            None => None,
        };
        let has_log_group = match &express.log_group {
            Some(name) => tables.get::<LogGroup>(&LogGroup::key_of(account.as_str(), name)).await?.is_some(),
            None => true,
        };
        let mut seen = Observed {
            service,
            has_log_group,
            balancer: None,
            listener: None,
            rules: Vec::new(),
            gateway_group: None,
            tasks_group: group(tables, &express, &express.security_group).await?,
            gateway_certificate: None,
            certificate: tables.get(&key_of(account, express.certificate())).await?,
            target_groups: BTreeMap::new(),
            gateway: None,
            express,
        };
        if let Some(gateway) = gateway {
            seen.balancer = tables.get(&gateway.key()).await?;
            let prefix = format!("{}/", gateway.key());
            let listeners = tables.list_all::<Listener>(&prefix).await?;
            seen.listener = listeners.into_iter().find(|own| own.port == PORT);
            seen.rules = tables.list_all(&prefix).await?;
            seen.gateway_group = group(tables, &seen.express, &gateway.security_group).await?;
            seen.gateway_certificate = tables.get(&key_of(&gateway.account, &gateway.name)).await?;
            seen.gateway = Some(gateway);
        }
        let (main, alternate) = &seen.express.target_groups;
        for name in [main, alternate].into_iter().chain(&seen.express.old_target_groups) {
            let key = format!("{}/{name}", seen.express.account);
            if let Some(found) = tables.get::<TargetGroup>(&key).await? {
                seen.target_groups.insert(name.clone(), found);
            }
        }
        Ok(Some(seen))
    }
}

/// The security group with this name in the VPC of a service.
async fn group(
    tables: &Tables,
    express: &ExpressService,
    name: &str,
) -> Result<Option<Versioned<SecurityGroup>>, StoreError> {
    let groups = tables.list_all::<SecurityGroup>(&format!("{}/", express.account)).await?;
    Ok(groups.into_iter().find(|group| group.vpc == express.vpc && group.name == name))
}
