//! What ECS has made for an express service, as service revisions show it.

use super::render::access_type;
use crate::errors::Failure;
use crate::shapes as wire;
use aws_wire::RequestContext;
use environment::Timestamp;
use identifiers::Arn;
use resources::Stored;
use resources::ec2::SecurityGroup;
use resources::ecs::{ExpressConfiguration, ExpressGateway, ExpressService, Service, ServiceStatus};
use resources::elb::{Condition, Listener, LoadBalancer, LoadBalancerState, Rule, TargetGroup};
use resources::iam::{ServerCertificate, key_of};
use resources::logs::LogGroup;
use store::Tables;
use wire::ManagedResourceStatus as Status;

/// Where a resource stands, and since when.
struct State {
    arn: Option<String>,
    status: Status,
    reason: Option<String>,
    updated_at: Timestamp,
}

struct Parts<'a> {
    tables: &'a Tables,
    context: &'a RequestContext,
    express: &'a ExpressService,
    /// The service keeps tasks running.
    is_active: bool,
}

/// The parts of an express service as one of its service revisions has them.
pub(crate) async fn resources(
    tables: &Tables,
    context: &RequestContext,
    service: &Service,
    express: &ExpressService,
    revision: &str,
) -> Result<Option<wire::ECSManagedResources>, Failure> {
    let Some(configuration) = express.configuration(revision) else { return Ok(None) };
    let is_active = service.status == ServiceStatus::Active;
    let parts = Parts { tables, context, express, is_active };
    let log_groups = match &express.log_group {
        Some(name) => Some(vec![parts.log_group(name).await?]),
        None => None,
    };
    Ok(Some(wire::ECSManagedResources {
        auto_scaling: None,
        ingress_paths: Some(vec![parts.ingress(configuration).await?]),
        log_groups,
        metric_alarms: None,
        service_security_groups: Some(vec![parts.security_group(&express.security_group).await?]),
    }))
}

impl Parts<'_> {
    /// The state of what is there, or of what is to be there.
    fn state(&self, found: Option<(String, Timestamp)>) -> State {
        let (arn, updated_at) = found.map_or((None, self.express.updated_at), |(arn, at)| (Some(arn), at));
        let trouble = self.express.trouble.as_ref().map(|(reason, _)| reason.clone());
        let (status, reason) = match (&arn, self.is_active) {
            (Some(_), true) => (Status::Active, None),
            (Some(_), false) => (Status::Deprovisioning, trouble),
            (None, true) => (Status::Provisioning, trouble),
            (None, false) => (Status::Deleted, None),
        };
        State { arn, status, reason, updated_at }
    }

    async fn get<T: Stored>(&self, key: &str) -> Result<Option<store::Versioned<T>>, Failure> {
        Ok(self.tables.get::<T>(key).await?)
    }

    async fn log_group(&self, name: &str) -> Result<wire::ManagedLogGroup, Failure> {
        let account = &self.express.account;
        let found = self.get::<LogGroup>(&LogGroup::key_of(account.as_str(), name)).await?;
        let arn = || self.arn("logs", format!("log-group:{name}"));
        let mut state = self.state(found.map(|row| (arn(), row.created_at)));
        if state.arn.is_some() {
            // It stays when the service goes.
            state.status = Status::Active;
        }
        Ok(wire::ManagedLogGroup {
            arn: state.arn,
            log_group_name: name.to_owned(),
            status: state.status,
            status_reason: state.reason,
            updated_at: state.updated_at,
        })
    }

    fn arn(&self, service: &str, resource: String) -> String {
        Arn::new(service, &self.context.region, &self.express.account, resource).to_string()
    }

    async fn security_group(&self, name: &str) -> Result<wire::ManagedSecurityGroup, Failure> {
        let groups = self.tables.list_all::<SecurityGroup>(&format!("{}/", self.express.account)).await?;
        let found = groups.iter().find(|own| own.vpc == self.express.vpc && own.name == name);
        let found = found.map(|own| (self.arn("ec2", format!("security-group/{}", own.id)), own.created_at));
        let state = self.state(found);
        Ok(wire::ManagedSecurityGroup {
            arn: state.arn,
            status: state.status,
            status_reason: state.reason,
            updated_at: state.updated_at,
        })
    }

    async fn ingress(&self, own: &ExpressConfiguration) -> Result<wire::ManagedIngressPath, Failure> {
        let express = self.express;
        let gateway = match &express.gateway {
            Some(name) => self.get::<ExpressGateway>(&format!("{}/{name}", express.account)).await?,
            None => None,
        };
        let (mut balancer, mut listener, mut rule) = (None, None, None);
        if let Some(gateway) = &gateway {
            balancer = self.get::<LoadBalancer>(&gateway.key()).await?;
            let prefix = format!("{}/", gateway.key());
            listener = self.tables.list_all::<Listener>(&prefix).await?.into_iter().next();
            let rules = self.tables.list_all::<Rule>(&prefix).await?;
            let is_own = |condition: &Condition| match condition {
                Condition::HostHeader(hosts) => hosts.contains(&express.host),
                _ => false,
            };
            rule = rules.into_iter().find(|rule| rule.conditions.iter().any(is_own));
        }
        let key = key_of(&express.account, express.certificate());
        let certificate = self.get::<ServerCertificate>(&key).await?;
        let certificate = self.state(certificate.map(|row| (row.arn(), row.uploaded_at)));
        let listener = self.state(listener.map(|row| (row.arn.clone(), row.created_at)));
        let rule = self.state(rule.map(|row| (row.arn.clone(), row.created_at)));
        let gateway_groups = match &gateway {
            Some(gateway) => Some(vec![self.security_group(&gateway.security_group).await?]),
            None => None,
        };
        let (main, alternate) = &express.target_groups;
        let target_groups =
            vec![self.target_group(main, own).await?, self.target_group(alternate, own).await?];
        Ok(wire::ManagedIngressPath {
            access_type: access_type(express),
            certificate: Some(wire::ManagedCertificate {
                arn: certificate.arn,
                domain_name: express.host.clone(),
                status: certificate.status,
                status_reason: certificate.reason,
                updated_at: certificate.updated_at,
            }),
            endpoint: express.host.clone(),
            listener: Some(wire::ManagedListener {
                arn: listener.arn,
                status: listener.status,
                status_reason: listener.reason,
                updated_at: listener.updated_at,
            }),
            load_balancer: Some(self.load_balancer(balancer.as_deref())),
            load_balancer_security_groups: gateway_groups,
            rule: Some(wire::ManagedListenerRule {
                arn: rule.arn,
                status: rule.status,
                status_reason: rule.reason,
                updated_at: rule.updated_at,
            }),
            target_groups: Some(target_groups),
        })
    }

    fn load_balancer(&self, row: Option<&LoadBalancer>) -> wire::ManagedLoadBalancer {
        let state = self.state(row.map(|row| (row.arn.clone(), row.created_at)));
        let (status, reason) = match row.map(|row| &row.state) {
            Some(LoadBalancerState::Provisioning) if self.is_active => (Status::Provisioning, None),
            Some(LoadBalancerState::Failed(reason)) if self.is_active => {
                (Status::Failed, Some(reason.clone()))
            }
            _ => (state.status, state.reason),
        };
        wire::ManagedLoadBalancer {
            arn: state.arn,
            scheme: if self.express.public { "internet-facing" } else { "internal" }.to_owned(),
            security_group_ids: row.map(|row| row.security_groups.clone()),
            status,
            status_reason: reason,
            subnet_ids: Some(self.express.subnets.clone()),
            updated_at: state.updated_at,
        }
    }

    async fn target_group(
        &self,
        name: &str,
        own: &ExpressConfiguration,
    ) -> Result<wire::ManagedTargetGroup, Failure> {
        let found = self.get::<TargetGroup>(&format!("{}/{name}", self.express.account)).await?;
        let path = found.as_ref().and_then(|row| row.health_check.path.clone());
        let state = self.state(found.map(|row| (row.arn.clone(), row.created_at)));
        Ok(wire::ManagedTargetGroup {
            arn: state.arn,
            health_check_path: path.unwrap_or_else(|| own.health_check_path.clone()),
            health_check_port: own.port.into(),
            port: own.port.into(),
            status: state.status,
            status_reason: state.reason,
            updated_at: state.updated_at,
        })
    }
}
