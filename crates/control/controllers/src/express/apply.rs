//! Takes one step.

use super::observe::{Observed, PORT};
use super::plan::{CertificateOf, Step, Weights};
use super::{Acting, ExpressController, Refusal, StepError, calls};
use environment::Timestamp;
use identifiers::Arn;
use resources::Stored;
use resources::ecs::{
    AlternateTargets, ExpressGateway, ExpressService, Service, ServiceEvent, ServiceEvents,
    ServiceLoadBalancer, TaskDefinition, Workload,
};
use resources::iam::{ServerCertificate, key_of};
use resources::sealed::{SealedText, Sealing};
use std::collections::BTreeSet;
use store::StoreError;

/// What has a name of ECS beside what it belongs to.
const DESCRIPTION: &str = "Created by ECS for Express services";
/// Characters of ids of certificates.
const ID: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

impl ExpressController {
    fn acting(&self, express: &ExpressService) -> Acting {
        let resource = format!("service/{}/{}", express.cluster, express.name);
        Acting {
            role: express.infrastructure_role.clone(),
            service: Arn::new("ecs", &self.region, &express.account, resource).to_string(),
        }
    }

    pub(super) async fn apply(&self, seen: &Observed, step: Step) -> Result<(), StepError> {
        let express = &seen.express;
        match step {
            Step::JoinGateway => self.join(express).await?,
            Step::MakeCertificate(of) => self.make_certificate(seen, of).await?,
            Step::ReplaceTargetGroup(alternate) => self.replace_target_group(express, alternate).await?,
            Step::ForgetTargetGroup(name) => {
                let mut new = ExpressService::clone(express);
                new.old_target_groups.retain(|own| *own != name);
                self.tables.replace(express, new).await?;
            }
            Step::Begin => self.begin(seen).await?,
            Step::DeleteCertificate(of) => self.delete_certificate(seen, of).await?,
            Step::CloseGateway => {
                if let Some(gateway) = &seen.gateway {
                    let new = ExpressGateway { closing: true, ..ExpressGateway::clone(gateway) };
                    self.tables.replace(gateway, new).await?;
                }
            }
            Step::LeaveGateway => self.leave(seen).await?,
            Step::Forget => self.tables.delete(express).await?,
            step => {
                if let Some(call) = call(seen, step) {
                    self.infrastructure.call(&self.acting(express), &call).await?;
                }
            }
        }
        Ok(())
    }

    /// A load balancer that takes the service, or a new one.
    async fn join(&self, express: &store::Versioned<ExpressService>) -> Result<(), StoreError> {
        let key = express.key();
        let gateways = self.tables.list_all::<ExpressGateway>(&format!("{}/", express.account)).await?;
        let mut batch = self.tables.batch();
        let found = gateways.iter().find(|own| own.services.contains(&key) || own.takes(express));
        let name = if let Some(own) = found {
            let mut new = ExpressGateway::clone(own);
            new.services.insert(key);
            batch = batch.replace(own, &new);
            new.name
        } else {
            let id = self.tables.environment().random_hex(8);
            let new = ExpressGateway {
                account: express.account.clone(),
                name: format!("ecs-express-gateway-alb-{id}"),
                security_group: format!("ecs-express-gateway-alb-sg-{id}"),
                vpc: express.vpc.clone(),
                subnets: express.subnets.clone(),
                public: express.public,
                services: BTreeSet::from([key]),
                closing: false,
            };
            batch = batch.create(&new);
            new.name
        };
        let new = ExpressService { gateway: Some(name), ..ExpressService::clone(express) };
        batch.replace(express, &new).commit().await.map(|_| ())
    }

    /// Leaves the load balancer to the others, or, as the last one, with nothing left of it; then nothing is left of the
    /// service either.
    async fn leave(&self, seen: &Observed) -> Result<(), StoreError> {
        let express = &seen.express;
        let new =
            ExpressService { gateway: None, is_gone: true, trouble: None, ..ExpressService::clone(express) };
        let mut batch = self.tables.batch().replace(express, &new);
        if let Some(gateway) = &seen.gateway {
            let mut rest = ExpressGateway::clone(gateway);
            rest.services.remove(&express.key());
            batch =
                if rest.services.is_empty() { batch.delete(gateway) } else { batch.replace(gateway, &rest) };
        }
        batch.commit().await.map(|_| ())
    }

    async fn replace_target_group(
        &self,
        express: &store::Versioned<ExpressService>,
        alternate: bool,
    ) -> Result<(), StoreError> {
        let mut new = ExpressService::clone(express);
        let names = &mut new.target_groups;
        let place = if alternate { &mut names.1 } else { &mut names.0 };
        let id = self.tables.environment().random_hex(17);
        let old = std::mem::replace(place, format!("ecs-gateway-tg-{id}"));
        new.old_target_groups.push(old);
        self.tables.replace(express, new).await.map(|_| ())
    }

    /// Makes a certificate, or makes it anew. There is no ACM, so it is a server certificate of IAM; the role is asked
    /// for what ACM would ask it for.
    async fn make_certificate(&self, seen: &Observed, of: CertificateOf) -> Result<(), StepError> {
        let express = &seen.express;
        self.may(express, "acm:RequestCertificate").await?;
        let now = self.tables.environment().now();
        let (old, name, host) = match of {
            CertificateOf::Service => {
                (seen.certificate.as_ref(), express.certificate(), express.host.as_str())
            }
            CertificateOf::Gateway => {
                let Some(balancer) = &seen.balancer else { return Ok(()) };
                (seen.gateway_certificate.as_ref(), balancer.name.as_str(), balancer.dns_name.as_str())
            }
        };
        let made = self.infrastructure.certificate(host, now)?;
        let id = old.map_or_else(
            || format!("ASCA{}", self.tables.environment().random_text(17, ID)),
            |old| old.id.clone(),
        );
        let row = ServerCertificate {
            account: express.account.clone(),
            name: name.to_owned(),
            path: ExpressService::CERTIFICATES.to_owned(),
            id,
            body: made.body,
            chain: None,
            sealed: SealedText::new(String::new()),
            uploaded_at: now,
            expires_at: made.expires_at,
            tags: vec![(calls::MANAGED.0.to_owned(), calls::MANAGED.1.to_owned())],
        };
        let sealed = SealedText::new(self.keys.seal(&row.purpose(), made.private_key.as_bytes()));
        let row = row.with_sealed(sealed);
        match old {
            Some(old) => self.tables.replace(old, row).await.map(drop)?,
            None => self.tables.create(row).await.map(drop)?,
        }
        Ok(())
    }

    async fn delete_certificate(&self, seen: &Observed, of: CertificateOf) -> Result<(), StepError> {
        self.may(&seen.express, "acm:DeleteCertificate").await?;
        let name = match (of, &seen.gateway) {
            (CertificateOf::Service, _) => seen.express.certificate(),
            (CertificateOf::Gateway, Some(gateway)) => &gateway.name,
            (CertificateOf::Gateway, None) => return Ok(()),
        };
        let key = key_of(&seen.express.account, name);
        self.tables.batch().delete_any::<ServerCertificate>(&key).commit().await?;
        Ok(())
    }

    async fn may(&self, express: &ExpressService, action: &str) -> Result<(), Refusal> {
        let resource = Arn::new("acm", &self.region, &express.account, "certificate/*").to_string();
        self.infrastructure.may(&self.acting(express), action, &resource, &[calls::MANAGED]).await
    }

    /// Begins the deployment of the newest configuration.
    async fn begin(&self, seen: &Observed) -> Result<(), StepError> {
        let express = &seen.express;
        let (Some(service), Some(wanted)) = (&seen.service, express.configurations.first()) else {
            return Ok(());
        };
        let Some(workload) = workload(seen) else { return Ok(()) };
        let key = TaskDefinition::key_of(&express.account, &wanted.family, wanted.revision);
        let Some(definition) = self.tables.get::<TaskDefinition>(&key).await? else {
            return Err(Refusal("ClientException: TaskDefinition not found.".to_owned()).into());
        };
        let environment = self.tables.environment();
        let mut new = Service::clone(service);
        let (mut revision, mut record) =
            new.begin_deployment(workload, &definition, environment, environment.now());
        // The revision was announced when its configuration was told.
        revision.id.clone_from(&wanted.service_revision);
        record.target.clone_from(&wanted.service_revision);
        if let Some(deployment) = new.deployments.first_mut() {
            deployment.service_revision.clone_from(&wanted.service_revision);
        }
        let mut batch = self.tables.batch().require_exists(&definition);
        if let Some(primary) = service.primary() {
            let key = format!("{}/{}", service.key(), primary.service_deployment);
            let old = self.tables.get::<resources::ecs::ServiceDeployment>(&key).await?;
            if let Some(old) = old.filter(|old| !old.status.is_final()) {
                batch = batch.replace(&old, &old.superseded(environment.now()));
            }
        }
        let told = ExpressService { is_pending: false, ..ExpressService::clone(express) };
        let batch = batch.replace(service, &new).replace(express, &told).create(&revision).create(&record);
        batch.commit().await?;
        Ok(())
    }

    /// Keeps why something does not work, and tells it once. Answers since when it does not.
    pub(super) async fn note_trouble(
        &self,
        seen: &Observed,
        refusal: &Refusal,
        now: Timestamp,
    ) -> Result<Timestamp, StoreError> {
        let express = &seen.express;
        let since = express.trouble.as_ref().map_or(now, |(_, since)| *since);
        if express.trouble.as_ref().is_some_and(|(text, _)| *text == refusal.0) {
            return Ok(since);
        }
        let new =
            ExpressService { trouble: Some((refusal.0.clone(), since)), ..ExpressService::clone(express) };
        let mut batch = self.tables.batch().replace(express, &new);
        if let Some(service) = seen.service.as_ref().filter(|_| seen.is_active()) {
            let key = service.key();
            let old = self.tables.get::<ServiceEvents>(&key).await?;
            let mut events = old.as_deref().cloned().unwrap_or_else(|| ServiceEvents {
                account: service.account.clone(),
                cluster: service.cluster.clone(),
                service: service.name.clone(),
                events: Vec::new(),
            });
            events.add(ServiceEvent {
                id: self.tables.environment().uuid(),
                created_at: now,
                message: format!("(service {}) {refusal}", service.name),
            });
            batch = match &old {
                Some(old) => batch.replace(old, &events),
                None => batch.create(&events),
            };
        }
        match batch.commit().await {
            Err(error) if !error.is_conflict() => Err(error),
            Ok(_) | Err(_) => Ok(since),
        }
    }

    pub(super) async fn forget_trouble(&self, seen: &Observed) -> Result<(), StoreError> {
        if seen.express.trouble.is_none() {
            return Ok(());
        }
        let forget = |old: &ExpressService| {
            let has = old.trouble.is_some();
            Ok::<_, StoreError>(has.then(|| ExpressService { trouble: None, ..old.clone() }))
        };
        self.tables.update(&seen.express.key(), forget).await.map(drop)
    }
}

/// The call that a step is; `None` when what it is about is gone.
fn call(seen: &Observed, step: Step) -> Option<calls::Call> {
    let express = &seen.express;
    let wanted = express.configurations.first();
    let listener = seen.listener.as_ref().map(|own| own.arn.as_str());
    let own = seen.certificate.as_ref().map(|own| own.arn());
    Some(match step {
        Step::CreateLogGroup => calls::create_log_group(express.log_group.as_deref()?),
        Step::CreateGatewayGroup => {
            let gateway = seen.gateway.as_ref()?;
            calls::create_security_group(&gateway.security_group, &gateway.vpc, DESCRIPTION)
        }
        Step::OpenGateway => calls::open_to_all(&seen.gateway_group.as_ref()?.id, PORT),
        Step::CreateLoadBalancer => {
            calls::create_load_balancer(seen.gateway.as_ref()?, &seen.gateway_group.as_ref()?.id)
        }
        Step::CreateListener => {
            let certificate = seen.gateway_certificate.as_ref()?.arn();
            calls::create_listener(&seen.balancer.as_ref()?.arn, PORT, &certificate)
        }
        Step::AddCertificate => calls::add_certificate(listener?, &own?),
        Step::CreateTasksGroup => {
            calls::create_security_group(&express.security_group, &express.vpc, DESCRIPTION)
        }
        Step::OpenTasks(port) => {
            let other = &seen.gateway_group.as_ref()?.id;
            calls::open_to_group(&seen.tasks_group.as_ref()?.id, port, other)
        }
        Step::CreateTargetGroup(name) => calls::create_target_group(&name, &express.vpc, wanted?),
        Step::CreateRule { priority, groups } => {
            calls::create_rule(listener?, priority, express, &borrowed(&groups))
        }
        Step::ModifyRule(groups) => calls::modify_rule(&seen.rule()?.arn, &borrowed(&groups)),
        Step::DeleteTargetGroup(arn) => calls::delete_target_group(&arn),
        Step::CloseTasks(rule) => calls::close(&seen.tasks_group.as_ref()?.id, &rule),
        Step::DeleteRule => calls::delete_rule(&seen.rule()?.arn),
        Step::RemoveCertificate => calls::remove_certificate(listener?, &own?),
        Step::DeleteTasksGroup => calls::delete_security_group(&seen.tasks_group.as_ref()?.id),
        Step::DeleteListener => calls::delete_listener(listener?),
        Step::DeleteLoadBalancer => calls::delete_load_balancer(&seen.balancer.as_ref()?.arn),
        Step::DeleteGatewayGroup => calls::delete_security_group(&seen.gateway_group.as_ref()?.id),
        Step::JoinGateway
        | Step::MakeCertificate(_)
        | Step::ReplaceTargetGroup(_)
        | Step::ForgetTargetGroup(_)
        | Step::Begin
        | Step::DeleteCertificate(_)
        | Step::CloseGateway
        | Step::LeaveGateway
        | Step::Forget => return None,
    })
}

fn borrowed(weights: &Weights) -> Vec<(&str, u32)> {
    weights.iter().map(|(arn, weight)| (arn.as_str(), *weight)).collect()
}

/// What the newest configuration runs, once everything is there.
fn workload(seen: &Observed) -> Option<Workload> {
    let express = &seen.express;
    let wanted = express.configurations.first()?;
    let arn = |name: &String| seen.target_groups.get(name).map(|group| group.arn.clone());
    let mut security_groups = wanted.security_groups.clone();
    security_groups.push(seen.tasks_group.as_ref()?.id.clone());
    Some(Workload {
        family: wanted.family.clone(),
        revision: wanted.revision,
        strategy: Vec::new(),
        platform_version: "LATEST".to_owned(),
        subnets: wanted.subnets.clone(),
        security_groups,
        assign_public_ip: express.public,
        load_balancers: vec![ServiceLoadBalancer {
            target_group_arn: arn(&express.target_groups.0)?,
            container_name: ExpressService::CONTAINER.to_owned(),
            container_port: wanted.port,
            advanced: Some(AlternateTargets {
                target_group_arn: arn(&express.target_groups.1)?,
                production_rule: seen.rule()?.arn.clone(),
                test_rule: None,
                role_arn: express.infrastructure_role.clone(),
            }),
        }],
        volumes: Vec::new(),
        registries: Vec::new(),
        connect: None,
    })
}
