//! What a caller must be allowed to do with services, their deployments and their revisions.

use super::{Request, with_tags};
use crate::arns::{arn, cluster_arn, own_resource};
use aws_wire::{Permission, ServiceError};
use resources::ecs::Service;

impl Request<'_> {
    /// The ARN of the service that a request means.
    pub(super) fn service_arn(&self, given: &str) -> String {
        if given.starts_with("arn:") {
            given.to_owned()
        } else {
            arn(self.context, format!("service/{}/{given}", self.cluster_name()))
        }
    }

    pub(super) async fn on_service(&self, given: &str) -> Result<Permission, ServiceError> {
        let resource = self.service_arn(given);
        let permission = self.permission(resource.clone());
        let Some(rest) = own_resource(self.context, &resource, "service") else { return Ok(permission) };
        let cluster = rest.split('/').next().unwrap_or_default();
        let permission = permission.with("ecs:cluster", cluster_arn(self.context, cluster));
        let found = self.get::<Service>(&format!("{}/{rest}", self.context.account)).await?;
        Ok(with_tags(permission, found.as_ref().map(|found| found.tags.as_slice())))
    }

    /// Service deployments and revisions: themselves and their service.
    pub(super) async fn on_parts(
        &self,
        arns: Vec<&str>,
        kind: &str,
    ) -> Result<Vec<Permission>, ServiceError> {
        let mut permissions = Vec::new();
        for given in arns {
            let owner = own_resource(self.context, given, kind)
                .and_then(|rest| rest.rsplit_once('/').map(|(owner, _)| owner.to_owned()));
            let Some(owner) = owner else {
                permissions.push(self.permission(given));
                continue;
            };
            let service = arn(self.context, format!("service/{owner}"));
            let on_service = self.on_service(&service).await?;
            let cluster = owner.split('/').next().unwrap_or_default();
            let part = self
                .permission(given)
                .with("ecs:cluster", cluster_arn(self.context, cluster))
                .with("ecs:service", service);
            let found = self.get::<Service>(&format!("{}/{owner}", self.context.account)).await?;
            permissions.push(on_service);
            permissions.push(with_tags(part, found.as_ref().map(|found| found.tags.as_slice())));
        }
        Ok(self.or_everything(permissions))
    }

    pub(super) async fn create_service(&self) -> Result<Vec<Permission>, ServiceError> {
        let resource = self.service_arn(self.input.text("serviceName").unwrap_or_default());
        let permission = self
            .permission(resource.clone())
            .with("ecs:cluster", self.cluster(self.input.text("cluster")))
            .with_request_tags(self.request_tags());
        let (permission, roles) = self.with_workload(permission, self.input.text("taskDefinition")).await?;
        let mut permissions = vec![permission];
        permissions.extend(self.tagging(vec![resource]));
        permissions.extend(roles);
        permissions.extend(self.volume_roles());
        Ok(permissions)
    }

    /// A task set, by its id or ARN.
    pub(super) async fn on_task_set(&self, given: &str) -> Result<Permission, ServiceError> {
        let service = self.service_arn(self.input.text("service").unwrap_or_default());
        let own = own_resource(self.context, &service, "service").unwrap_or_default();
        let resource = if given.starts_with("arn:") {
            given.to_owned()
        } else {
            arn(self.context, format!("task-set/{own}/{given}"))
        };
        let id = resource.rsplit_once("/ecs-svc/").map(|(_, number)| format!("ecs-svc/{number}"));
        let found = self.get::<Service>(&format!("{}/{own}", self.context.account)).await?;
        let set = found.as_ref().and_then(|found| {
            let own = found.deployments.iter().find(|own| Some(&own.id) == id.as_ref());
            own.and_then(|own| own.task_set.as_ref())
        });
        let cluster = self.cluster(self.input.text("cluster"));
        let permission = self.permission(resource).with("ecs:cluster", cluster).with("ecs:service", service);
        Ok(with_tags(permission, set.map(|set| set.tags.as_slice())))
    }

    pub(super) async fn create_task_set(&self) -> Result<Vec<Permission>, ServiceError> {
        let service = self.service_arn(self.input.text("service").unwrap_or_default());
        let own = own_resource(self.context, &service, "service").unwrap_or_default();
        let resource = arn(self.context, format!("task-set/{own}/*"));
        let permission = self
            .permission(resource.clone())
            .with("ecs:cluster", self.cluster(self.input.text("cluster")))
            .with("ecs:service", service)
            .with_request_tags(self.request_tags());
        let (permission, roles) = self.with_workload(permission, self.input.text("taskDefinition")).await?;
        let mut permissions = vec![permission];
        permissions.extend(self.tagging(vec![resource]));
        permissions.extend(roles);
        Ok(permissions)
    }

    pub(super) async fn update_service(&self) -> Result<Vec<Permission>, ServiceError> {
        let given = self.input.text("service").unwrap_or_default();
        let permission = self.on_service(given).await?;
        // A deployment passes the roles of its task definition on, also when it is the one of before.
        let forced = self.input.boolean("forceNewDeployment") == Some(true);
        let mut definition = self.input.text("taskDefinition").map(str::to_owned);
        let changed = ["networkConfiguration", "volumeConfigurations"];
        let changes = changed.into_iter().any(|name| self.input.member(name).is_some());
        if definition.is_none() && (forced || changes) {
            let resource = self.service_arn(given);
            if let Some(rest) = own_resource(self.context, &resource, "service") {
                let found = self.get::<Service>(&format!("{}/{rest}", self.context.account)).await?;
                let workload =
                    found.as_ref().and_then(|found| found.primary()).map(|primary| &primary.workload);
                definition = workload.map(|own| format!("{}:{}", own.family, own.revision));
            }
        }
        let (permission, roles) = self.with_workload(permission, definition.as_deref()).await?;
        let mut permissions = vec![permission];
        permissions.extend(roles);
        permissions.extend(self.volume_roles());
        Ok(permissions)
    }

    /// The conditions that tell what a service runs, and the roles that it passes to its tasks.
    async fn with_workload(
        &self,
        permission: Permission,
        definition: Option<&str>,
    ) -> Result<(Permission, Vec<Permission>), ServiceError> {
        let input = self.input;
        let flag = |name: &str| input.boolean(name).map(|flag| flag.to_string());
        let vpc =
            input.member("networkConfiguration").and_then(|network| network.member("awsvpcConfiguration"));
        let public = vpc.and_then(|vpc| vpc.text("assignPublicIp"));
        let mut permission = permission
            .with_some("ecs:enable-execute-command", flag("enableExecuteCommand"))
            .with_some("ecs:enable-ecs-managed-tags", flag("enableECSManagedTags"))
            .with_some("ecs:propagate-tags", input.text("propagateTags"))
            .with_some("ecs:auto-assign-public-ip", public.map(|public| (public == "ENABLED").to_string()));
        let texts = |values: Vec<String>| Some(values).filter(|values| !values.is_empty());
        let subnets = vpc.map(|vpc| vpc.texts("subnets").map(str::to_owned).collect()).and_then(texts);
        if let Some(subnets) = subnets {
            permission = permission.with_all("ecs:subnet", subnets);
        }
        let strategy = input.items("capacityProviderStrategy").iter();
        let providers =
            strategy.filter_map(|item| item.text("capacityProvider").map(str::to_owned)).collect();
        if let Some(providers) = texts(providers) {
            permission = permission.with_all("ecs:capacity-provider", providers);
        }
        let Some(definition) = definition else { return Ok((permission, vec![])) };
        let (resource, found) = self.definition(definition).await?;
        permission = permission.with("ecs:task-definition", resource);
        let Some(found) = found else { return Ok((permission, vec![])) };
        permission = permission
            .with("ecs:task-cpu", found.cpu.to_string())
            .with("ecs:task-memory", found.memory.to_string());
        let roles = [&found.task_role_arn, &found.execution_role_arn];
        let roles = roles.into_iter().flatten().map(|role| self.pass_role(role)).collect();
        Ok((permission, roles))
    }
}
