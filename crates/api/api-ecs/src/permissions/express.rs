//! What a caller must be allowed to do with express services.

use super::{MANAGER, Request};
use aws_wire::{Permission, ServiceError};
use resources::ecs::{ExpressService, TaskDefinition};

impl Request<'_> {
    pub(super) fn create_express(&self) -> Vec<Permission> {
        // Without a name the service gets one that nobody knows yet.
        let name = self.input.text("serviceName").filter(|name| !name.is_empty()).unwrap_or("*");
        let resource = self.service_arn(name);
        let permission = self
            .permission(resource.clone())
            .with("ecs:cluster", self.cluster(self.input.text("cluster")))
            .with_request_tags(self.request_tags());
        let mut permissions = vec![self.with_express(permission)];
        permissions.extend(self.tagging(vec![resource]));
        permissions.extend(self.express_roles());
        if let Some(role) = self.input.text("infrastructureRoleArn") {
            permissions.push(Permission::new("iam:PassRole", role).with("iam:PassedToService", MANAGER));
        }
        permissions
    }

    pub(super) async fn update_express(&self) -> Result<Vec<Permission>, ServiceError> {
        let given = self.input.text("serviceArn").unwrap_or_default();
        let permission = self.with_express(self.on_service(given).await?);
        let mut permissions = vec![permission];
        permissions.extend(self.express_roles());
        // The roles that stay are passed on, too, to the tasks of the next deployment.
        let Some(rest) = crate::arns::own_resource(self.context, given, "service") else {
            return Ok(permissions);
        };
        let found = self.get::<ExpressService>(&format!("{}/{rest}", self.context.account)).await?;
        let Some(newest) = found.as_ref().and_then(|own| own.configurations.first()) else {
            return Ok(permissions);
        };
        let key = TaskDefinition::key_of(&self.context.account, &newest.family, newest.revision);
        let Some(definition) = self.get::<TaskDefinition>(&key).await? else { return Ok(permissions) };
        let kept = [
            ("executionRoleArn", definition.execution_role_arn.as_deref()),
            ("taskRoleArn", definition.task_role_arn.as_deref()),
        ];
        let kept = kept.into_iter().filter(|(name, _)| self.input.text(name).is_none());
        permissions.extend(kept.filter_map(|(_, role)| role).map(|role| self.pass_role(role)));
        Ok(permissions)
    }

    fn with_express(&self, permission: Permission) -> Permission {
        let network = self.input.member("networkConfiguration");
        let subnets: Vec<String> =
            network.map(|network| network.texts("subnets").map(str::to_owned).collect()).unwrap_or_default();
        let permission = permission
            .with_some("ecs:task-cpu", self.input.text("cpu"))
            .with_some("ecs:task-memory", self.input.text("memory"));
        if subnets.is_empty() { permission } else { permission.with_all("ecs:subnet", subnets) }
    }

    fn express_roles(&self) -> Vec<Permission> {
        let roles = [self.input.text("executionRoleArn"), self.input.text("taskRoleArn")];
        roles.into_iter().flatten().map(|role| self.pass_role(role)).collect()
    }
}
