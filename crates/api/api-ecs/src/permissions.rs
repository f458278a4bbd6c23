//! What a caller must be allowed to do for each operation: the resources that its input names, tags and all.
//!
//! ARNs are made from the input alone, so a call on what does not exist needs the same permission. A family without
//! its revision means the newest one, and on AWS the permission names that revision.

mod express;
mod services;

use crate::arns::{arn, cluster_arn, cluster_name, definition_name, find_definition, own_resource};
use crate::errors::store;
use aws_wire::{Node, Operation, Permission, RequestContext, ServiceError};
use resources::Stored;
use resources::ecs::{Cluster, ContainerInstance, FARGATE_HOSTS, Service, Tag, Task, TaskDefinition};
use store::{Tables, Versioned};

/// The service that task and execution roles are passed to.
const TASKS: &str = "ecs-tasks.amazonaws.com";
/// The service that roles for volumes are passed to.
const MANAGER: &str = "ecs.amazonaws.com";

/// The permissions of a request.
pub(crate) async fn of(
    tables: &Tables,
    context: &RequestContext,
    operation: &'static Operation,
    input: &Node,
) -> Result<Vec<Permission>, ServiceError> {
    let request = Request { tables, context, operation, input };
    Ok(match operation.name {
        "CreateCluster" => request.create_cluster(),
        "DeleteCluster"
        | "PutClusterCapacityProviders"
        | "RegisterContainerInstance"
        | "UpdateCluster"
        | "UpdateClusterSettings" => {
            vec![request.on_cluster(input.text("cluster")).await?]
        }
        "DeregisterContainerInstance" => vec![request.deregister_instance().await?],
        "DescribeClusters" => request.describe_clusters().await?,
        "SubmitAttachmentStateChanges" | "SubmitContainerStateChange" | "SubmitTaskStateChange" => {
            vec![request.submit().await?]
        }
        "RegisterTaskDefinition" => request.register_task_definition(),
        "DeleteTaskDefinitions" => request.delete_task_definitions().await?,
        "RunTask" => request.run_task().await?,
        "StopTask" => vec![request.on_task(input.text("task").unwrap_or_default()).await?],
        "ExecuteCommand" => request.execute_command().await?,
        "CreateService" => request.create_service().await?,
        "UpdateService" => request.update_service().await?,
        "CreateExpressGatewayService" => request.create_express(),
        "UpdateExpressGatewayService" => request.update_express().await?,
        "DeleteExpressGatewayService" | "DescribeExpressGatewayService" => {
            vec![request.on_service(input.text("serviceArn").unwrap_or_default()).await?]
        }
        "DeleteService" | "ListServiceDeployments" | "UpdateServicePrimaryTaskSet" => {
            vec![request.on_service(input.text("service").unwrap_or_default()).await?]
        }
        "DescribeServices" => {
            let mut permissions = Vec::new();
            for service in input.texts("services") {
                permissions.push(request.on_service(service).await?);
            }
            request.or_everything(permissions)
        }
        "CreateTaskSet" => request.create_task_set().await?,
        "DeleteTaskSet" | "UpdateTaskSet" => {
            vec![request.on_task_set(input.text("taskSet").unwrap_or_default()).await?]
        }
        "DescribeTaskSets" => {
            let mut permissions = Vec::new();
            for set in input.texts("taskSets") {
                permissions.push(request.on_task_set(set).await?);
            }
            request.or_everything(permissions)
        }
        "DescribeCapacityProviders" => {
            let providers = input.texts("capacityProviders");
            let named = providers.map(|name| request.permission(request.provider(name)));
            request.or_everything(named.collect())
        }
        "ListServices" => {
            vec![request.permission("*").with("ecs:cluster", request.cluster(input.text("cluster")))]
        }
        "ListServicesByNamespace" => {
            vec![request.permission("*").with_some("ecs:namespace", input.text("namespace"))]
        }
        "DescribeServiceRevisions" => {
            request.on_parts(input.texts("serviceRevisionArns").collect(), "service-revision").await?
        }
        "DescribeServiceDeployments" => {
            request.on_parts(input.texts("serviceDeploymentArns").collect(), "service-deployment").await?
        }
        "ContinueServiceDeployment" | "StopServiceDeployment" => {
            request
                .on_parts(input.text("serviceDeploymentArn").into_iter().collect(), "service-deployment")
                .await?
        }
        "DescribeTasks" | "GetTaskProtection" | "UpdateTaskProtection" => {
            let mut permissions = Vec::new();
            for task in input.texts("tasks") {
                permissions.push(request.on_task(task).await?);
            }
            request.or_everything(permissions)
        }
        "ListTasks" => vec![request.list_tasks()],
        "ListTagsForResource" | "TagResource" | "UntagResource" => vec![request.on_tagged().await?],
        _ => vec![Permission::of(operation, "*")],
    })
}

struct Request<'a> {
    tables: &'a Tables,
    context: &'a RequestContext,
    operation: &'static Operation,
    input: &'a Node,
}

impl Request<'_> {
    fn permission(&self, resource: impl Into<String>) -> Permission {
        Permission::of(self.operation, resource)
    }

    /// A request that names nothing asks for its action on everything; the operation refuses or ignores it.
    fn or_everything(&self, permissions: Vec<Permission>) -> Vec<Permission> {
        if permissions.is_empty() { vec![self.permission("*")] } else { permissions }
    }

    async fn get<T: Stored>(&self, key: &str) -> Result<Option<Versioned<T>>, ServiceError> {
        self.tables.get::<T>(key).await.map_err(store)
    }

    fn request_tags(&self) -> impl Iterator<Item = (&str, &str)> {
        self.input.tags("tags", "key", "value")
    }

    /// The ARN of the cluster that a request means.
    fn cluster(&self, given: Option<&str>) -> String {
        match given {
            Some(given) if given.starts_with("arn:") => given.to_owned(),
            given => cluster_name(self.context, given)
                .map_or_else(|_| "*".to_owned(), |name| cluster_arn(self.context, &name)),
        }
    }

    /// The name in the ARN of a cluster.
    fn cluster_name(&self) -> String {
        let cluster = self.cluster(self.input.text("cluster"));
        cluster.rsplit('/').next().unwrap_or_default().to_owned()
    }

    async fn on_cluster(&self, given: Option<&str>) -> Result<Permission, ServiceError> {
        let cluster = self.cluster(given);
        let permission = self.permission(cluster.clone()).with("ecs:cluster", cluster.clone());
        let permission = permission.with_request_tags(self.request_tags());
        let Some(name) = own_resource(self.context, &cluster, "cluster") else { return Ok(permission) };
        let found = self.get::<Cluster>(&format!("{}/{name}", self.context.account)).await?;
        Ok(with_tags(permission, found.as_ref().map(|found| found.tags.as_slice())))
    }

    /// The ARN of a capacity provider.
    fn provider(&self, given: &str) -> String {
        if given.starts_with("arn:") {
            given.to_owned()
        } else {
            arn(self.context, format!("capacity-provider/{given}"))
        }
    }

    fn create_cluster(&self) -> Vec<Permission> {
        let cluster = self.cluster(self.input.text("clusterName"));
        let providers: Vec<String> = self.input.texts("capacityProviders").map(str::to_owned).collect();
        let mut permission = self.permission(cluster.clone()).with_request_tags(self.request_tags());
        if !providers.is_empty() {
            permission = permission.with_all("ecs:capacity-provider", providers);
        }
        let mut permissions = vec![permission];
        permissions.extend(self.tagging(vec![cluster]));
        permissions
    }

    async fn describe_clusters(&self) -> Result<Vec<Permission>, ServiceError> {
        let mut permissions = Vec::new();
        for cluster in self.input.texts("clusters") {
            permissions.push(self.on_cluster(Some(cluster)).await?);
        }
        if permissions.is_empty() {
            permissions.push(self.on_cluster(None).await?);
        }
        Ok(permissions)
    }

    /// What an agent reports. The tasks of Fargate hosts are reported by these hosts alone, whatever cluster is named.
    async fn submit(&self) -> Result<Permission, ServiceError> {
        let task = self.input.text("task").and_then(|arn| arn.split_once(":task/"));
        if let Some((_, rest)) = task {
            let task = self.get::<Task>(&format!("{}/{rest}", self.context.account)).await?;
            let host = task.and_then(|task| task.container_instance.clone());
            if host.is_some_and(|host| host.split('/').nth(1) == Some(FARGATE_HOSTS)) {
                let cluster = cluster_arn(self.context, FARGATE_HOSTS);
                return Ok(self.permission(cluster.clone()).with("ecs:cluster", cluster));
            }
        }
        self.on_cluster(self.input.text("cluster")).await
    }

    /// An instance is found by its id alone, so the hosts of the region are guarded whatever cluster is named.
    async fn deregister_instance(&self) -> Result<Permission, ServiceError> {
        let given = self.input.text("containerInstance").unwrap_or_default();
        let id = given.rsplit('/').next().unwrap_or_default();
        let key = format!("{}/{FARGATE_HOSTS}/{id}", self.context.account);
        if self.get::<ContainerInstance>(&key).await?.is_some() {
            return Ok(self.permission(cluster_arn(self.context, FARGATE_HOSTS)));
        }
        self.on_cluster(self.input.text("cluster")).await
    }

    fn register_task_definition(&self) -> Vec<Permission> {
        let family = self.input.text("family").unwrap_or_default();
        let resource = arn(self.context, format!("task-definition/{family}:*"));
        let containers = self.input.items("containerDefinitions");
        let privileged = containers.iter().any(|container| container.boolean("privileged") == Some(true));
        let mut permission = self
            .permission(resource.clone())
            .with_request_tags(self.request_tags())
            .with("ecs:privileged", privileged.to_string())
            .with_some("ecs:task-cpu", self.input.text("cpu"))
            .with_some("ecs:task-memory", self.input.text("memory"));
        let compatibilities: Vec<String> =
            self.input.texts("requiresCompatibilities").map(str::to_owned).collect();
        if !compatibilities.is_empty() {
            permission = permission.with_all("ecs:compute-compatibility", compatibilities);
        }
        let mut permissions = vec![permission];
        permissions.extend(self.tagging(vec![resource]));
        let roles = [self.input.text("taskRoleArn"), self.input.text("executionRoleArn")];
        permissions.extend(roles.into_iter().flatten().map(|role| self.pass_role(role)));
        permissions
    }

    async fn delete_task_definitions(&self) -> Result<Vec<Permission>, ServiceError> {
        let mut permissions = Vec::new();
        for given in self.input.texts("taskDefinitions") {
            let (resource, found) = self.definition(given).await?;
            permissions.push(with_tags(
                self.permission(resource),
                found.as_ref().map(|found| found.tags.as_slice()),
            ));
        }
        Ok(self.or_everything(permissions))
    }

    /// The task definition that a request means, and its ARN, with its revision if there is any.
    async fn definition(
        &self,
        given: &str,
    ) -> Result<(String, Option<Versioned<TaskDefinition>>), ServiceError> {
        let Ok(name) = definition_name(self.context, given) else {
            // Of another account or no name at all: the operation refuses it.
            let resource = if given.starts_with("arn:") { given.to_owned() } else { "*".to_owned() };
            return Ok((resource, None));
        };
        let found = find_definition(self.tables, self.context, given).await?;
        let revision = found.as_ref().map(|found| found.value.revision).or(name.revision);
        let revision = revision.map_or("*".to_owned(), |revision| revision.to_string());
        Ok((arn(self.context, format!("task-definition/{}:{revision}", name.family)), found))
    }

    async fn run_task(&self) -> Result<Vec<Permission>, ServiceError> {
        let (resource, found) =
            self.definition(self.input.text("taskDefinition").unwrap_or_default()).await?;
        let overrides = self.input.member("overrides");
        let over = |name: &str| overrides.and_then(|overrides| overrides.text(name)).map(str::to_owned);
        let execute = self.input.boolean("enableExecuteCommand").unwrap_or_default();
        let defined = found.as_ref().map(|found| &found.value);
        let cpu = over("cpu").or_else(|| defined.map(|found| found.cpu.to_string()));
        let memory = over("memory").or_else(|| defined.map(|found| found.memory.to_string()));
        let cluster = self.cluster(self.input.text("cluster"));
        let permission = self
            .permission(resource)
            .with("ecs:cluster", cluster)
            .with("ecs:enable-execute-command", execute.to_string())
            .with_some("ecs:task-cpu", cpu)
            .with_some("ecs:task-memory", memory)
            .with_request_tags(self.request_tags());
        let permission = with_tags(permission, defined.map(|found| found.tags.as_slice()));
        let mut permissions = vec![permission];
        let tasks = arn(self.context, format!("task/{}/*", self.cluster_name()));
        permissions.extend(self.tagging(vec![tasks]));
        // The roles that the task will have are passed to it, whoever wrote its definition.
        let task_role = over("taskRoleArn").or_else(|| defined.and_then(|found| found.task_role_arn.clone()));
        let execution_role =
            over("executionRoleArn").or_else(|| defined.and_then(|found| found.execution_role_arn.clone()));
        permissions
            .extend([task_role, execution_role].into_iter().flatten().map(|role| self.pass_role(&role)));
        permissions.extend(self.volume_roles());
        Ok(permissions)
    }

    async fn on_task(&self, given: &str) -> Result<Permission, ServiceError> {
        let resource = if given.starts_with("arn:") {
            given.to_owned()
        } else {
            arn(self.context, format!("task/{}/{given}", self.cluster_name()))
        };
        let permission = self.permission(resource.clone());
        let Some(rest) = own_resource(self.context, &resource, "task") else { return Ok(permission) };
        let cluster = rest.split('/').next().unwrap_or_default();
        let permission = permission.with("ecs:cluster", cluster_arn(self.context, cluster));
        let found = self.get::<Task>(&format!("{}/{rest}", self.context.account)).await?;
        Ok(with_tags(permission, found.as_ref().map(|found| found.tags.as_slice())))
    }

    /// The task and its cluster, as AWS asks for both.
    async fn execute_command(&self) -> Result<Vec<Permission>, ServiceError> {
        let task = self.on_task(self.input.text("task").unwrap_or_default()).await?;
        let arn = task.resource.clone();
        let cluster = self.on_cluster(self.input.text("cluster")).await?;
        let conditions = |permission: Permission| {
            permission
                .with("ecs:task", arn.clone())
                .with_some("ecs:container-name", self.input.text("container"))
        };
        Ok(vec![conditions(cluster), conditions(task)])
    }

    fn list_tasks(&self) -> Permission {
        let instance = self.input.text("containerInstance").unwrap_or("*");
        let resource = if instance.starts_with("arn:") {
            instance.to_owned()
        } else {
            arn(self.context, format!("container-instance/{}/{instance}", self.cluster_name()))
        };
        self.permission(resource).with("ecs:cluster", self.cluster(self.input.text("cluster")))
    }

    async fn on_tagged(&self) -> Result<Permission, ServiceError> {
        let resource = self.input.text("resourceArn").unwrap_or("*");
        let permission = self
            .permission(resource)
            .with_request_tags(self.request_tags())
            .with_tag_keys(self.input.texts("tagKeys").map(str::to_owned).collect());
        let account = &self.context.account;
        let own = |kind: &str| own_resource(self.context, resource, kind);
        if let Some(name) = own("cluster") {
            let found = self.get::<Cluster>(&format!("{account}/{name}")).await?;
            return Ok(with_tags(permission, found.as_ref().map(|found| found.tags.as_slice())));
        }
        if let Some(rest) = own("task") {
            let found = self.get::<Task>(&format!("{account}/{rest}")).await?;
            return Ok(with_tags(permission, found.as_ref().map(|found| found.tags.as_slice())));
        }
        if let Some(rest) = own("service") {
            let found = self.get::<Service>(&format!("{account}/{rest}")).await?;
            return Ok(with_tags(permission, found.as_ref().map(|found| found.tags.as_slice())));
        }
        if own("task-definition").is_some() {
            let (_, found) = self.definition(resource).await?;
            return Ok(with_tags(permission, found.as_ref().map(|found| found.tags.as_slice())));
        }
        Ok(permission)
    }

    /// Tags that a new resource gets need the permission to tag, too, as on AWS.
    fn tagging(&self, resources: Vec<String>) -> Vec<Permission> {
        if self.request_tags().next().is_none() {
            return vec![];
        }
        let tag = |resource: String| {
            Permission::new("ecs:TagResource", resource)
                .with("ecs:CreateAction", self.operation.name)
                .with_request_tags(self.request_tags())
        };
        resources.into_iter().map(tag).collect()
    }

    /// The roles that volumes are managed with are passed to ECS itself.
    fn volume_roles(&self) -> Vec<Permission> {
        let volumes = self.input.items("volumeConfigurations").iter();
        let roles = volumes.filter_map(|volume| volume.member("managedEBSVolume")?.text("roleArn"));
        roles.map(|role| Permission::new("iam:PassRole", role).with("iam:PassedToService", MANAGER)).collect()
    }

    fn pass_role(&self, role: &str) -> Permission {
        let role = if role.starts_with("arn:") {
            role.to_owned()
        } else {
            format!("arn:aws:iam::{}:role/{role}", self.context.account)
        };
        Permission::new("iam:PassRole", role).with("iam:PassedToService", TASKS)
    }
}

fn with_tags(permission: Permission, tags: Option<&[Tag]>) -> Permission {
    permission.with_resource_tags(tags.unwrap_or_default().iter().map(|tag| (&tag.key, &tag.value)))
}

#[cfg(test)]
mod tests;
