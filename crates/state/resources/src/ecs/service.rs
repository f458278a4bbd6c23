//! Services: how many tasks of what are kept running, and the deployments that bring them there.
//!
//! The row of a service holds what is wanted and where its deployments stand; whoever decides something for a service
//! replaces that row in the same transaction, so that no decision is taken twice. Its tasks are in a ledger of small
//! rows, one for each task that the service has started and not yet accounted for.

use super::{
    ConnectEndpoint, Lifecycle, LifecycleHook, ServiceConnect, Strategy, StrategyItem, Tag, TaskSet,
    TrafficStep, VolumeRequest,
};
use crate::Stored;
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A service. Deleted ones stay as `INACTIVE`, as on AWS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Owner.
    pub account: AccountId,
    /// Name of its cluster.
    pub cluster: String,
    /// Name, unique in the cluster.
    pub name: String,
    /// Whether it keeps tasks running.
    pub status: ServiceStatus,
    /// Tasks that shall run.
    pub desired_count: u32,
    /// How deployments go.
    pub deployment_configuration: DeploymentConfiguration,
    /// The newest first: the first is PRIMARY, the others still have tasks.
    pub deployments: Vec<Deployment>,
    /// What a rollback goes back to.
    pub last_completed: Option<CompletedDeployment>,
    /// A request to stop the deployment in progress, until it is heeded.
    pub stop_requested: Option<StopType>,
    /// Where the newest deployment stands, when it shifts traffic.
    #[serde(default)]
    pub lifecycle: Option<Lifecycle>,
    /// Who decides about deployments.
    #[serde(default)]
    pub controller: Controller,
    /// It is an express service: see [`ExpressService`](super::ExpressService).
    #[serde(default)]
    pub express: bool,
    /// As many healthy tasks as wanted, of one deployment, since the last change.
    pub steady: bool,
    /// Conditions that events have told of and that have not gone away, and when they were told.
    pub notices: Vec<(String, Timestamp)>,
    /// Which tags its tasks get.
    pub propagate_tags: PropagateTags,
    /// Tasks are tagged with the names of their cluster and service.
    pub managed_tags: bool,
    /// Commands may be run in the containers of tasks that are started from now on.
    #[serde(default)]
    pub execute_command: bool,
    /// Seconds after the start of a task in which failing health checks do not count.
    pub health_check_grace_period: Option<u32>,
    /// Whether tasks are evened out over the zones of their subnets when it is at rest.
    pub zone_rebalancing: bool,
    /// Token of the request that made it, and the hash of that request.
    pub client_token: Option<(String, String)>,
    /// Tags.
    pub tags: Vec<Tag>,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it became `INACTIVE`.
    #[serde(default)]
    pub deleted_at: Option<Timestamp>,
}

/// Who decides about the deployments of a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Controller {
    /// This region.
    #[default]
    Ecs,
    /// Somebody else, by task sets.
    External,
}

/// The life of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServiceStatus {
    /// Keeps its tasks running.
    Active,
    /// Deleted; its tasks are ending.
    Draining,
    /// Deleted; its tasks have ended.
    Inactive,
}

/// Which tags the tasks of a service get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PropagateTags {
    /// None.
    None,
    /// Those of the task definition.
    TaskDefinition,
    /// Those of the service.
    Service,
}

/// How deployments go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentConfiguration {
    /// Per cent of the desired count that stay healthy.
    pub minimum_healthy_percent: u32,
    /// Per cent of the desired count that may run or start.
    pub maximum_percent: u32,
    /// A deployment whose tasks fail again and again is given up.
    pub breaker: bool,
    /// A deployment given up is rolled back.
    pub rollback: bool,
    /// Task by task, or by shifting traffic.
    #[serde(default)]
    pub strategy: Strategy,
    /// Minutes in which both revisions run after the traffic was shifted.
    #[serde(default)]
    pub bake_minutes: Option<u32>,
    /// Steps of a linear deployment.
    #[serde(default)]
    pub linear: Option<TrafficStep>,
    /// First step of a canary deployment.
    #[serde(default)]
    pub canary: Option<TrafficStep>,
    /// What must agree before deployments go on.
    #[serde(default)]
    pub hooks: Vec<LifecycleHook>,
    /// Alarms that make a deployment fail, once they were told of.
    #[serde(default)]
    pub alarms: Option<DeploymentAlarms>,
}

/// Alarms of CloudWatch that make a deployment fail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentAlarms {
    /// Their names. What has no alarm of its name says nothing.
    pub names: Vec<String>,
    /// They are watched.
    pub enabled: bool,
    /// A deployment that fails by them is rolled back.
    pub rollback: bool,
}

impl Default for DeploymentConfiguration {
    /// As AWS has it when nothing is told.
    fn default() -> Self {
        Self {
            minimum_healthy_percent: 100,
            maximum_percent: 200,
            breaker: false,
            rollback: false,
            strategy: Strategy::Rolling,
            bake_minutes: None,
            linear: None,
            canary: None,
            hooks: Vec::new(),
            alarms: None,
        }
    }
}

/// What a deployment runs: the part of a service whose change makes a new deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// Family of its task definition.
    pub family: String,
    /// Revision of its task definition.
    pub revision: u32,
    /// Capacity providers; empty means the launch type FARGATE.
    pub strategy: Vec<StrategyItem>,
    /// Platform version as given.
    pub platform_version: String,
    /// Subnets.
    pub subnets: Vec<String>,
    /// Security groups.
    pub security_groups: Vec<String>,
    /// Whether its tasks were to have public addresses; kept as given.
    pub assign_public_ip: bool,
    /// Target groups that its tasks are registered in.
    #[serde(default)]
    pub load_balancers: Vec<ServiceLoadBalancer>,
    /// Volumes that are made for each of its tasks.
    #[serde(default)]
    pub volumes: Vec<VolumeRequest>,
    /// Services of Cloud Map that its tasks are instances of.
    #[serde(default)]
    pub registries: Vec<ServiceRegistry>,
    /// Its part in Service Connect.
    #[serde(default)]
    pub connect: Option<ServiceConnect>,
}

/// A target group that the tasks of a service are registered in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceLoadBalancer {
    /// ARN of the target group.
    pub target_group_arn: String,
    /// Name of the container.
    pub container_name: String,
    /// Port of the container; the target is the task's address with this port.
    pub container_port: u16,
    /// What deployments that shift traffic need beside it.
    #[serde(default)]
    pub advanced: Option<AlternateTargets>,
}

/// A service of Cloud Map that tasks are registered with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceRegistry {
    /// Id of the service of Cloud Map.
    pub service: String,
    /// Its ARN, as given.
    pub arn: String,
    /// The container whose port is registered, as given.
    pub container_name: Option<String>,
    /// Its port, as given.
    pub container_port: Option<u16>,
    /// The port that is registered, as given.
    pub port: Option<u16>,
}

/// Where a load balancer sends traffic when it is shifted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlternateTargets {
    /// ARN of the other target group.
    pub target_group_arn: String,
    /// ARN of the rule of production traffic, or of the listener of a network load balancer.
    pub production_rule: String,
    /// That of test traffic.
    pub test_rule: Option<String>,
    /// Role that may change the rules, as told.
    pub role_arn: String,
}

/// A deployment of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// `ecs-svc/` and a number; its tasks are started by it.
    pub id: String,
    /// Id of the service deployment that it belongs to; a rollback belongs to the one that it undoes.
    pub service_deployment: String,
    /// Id of the service revision that it runs.
    pub service_revision: String,
    /// What it runs.
    pub workload: Workload,
    /// Where it stands.
    pub rollout: RolloutState,
    /// Why it stands there.
    pub rollout_reason: String,
    /// Tasks that failed in a row.
    pub failed_tasks: u32,
    /// Rounds of failed tasks in a row; the wait before the next one grows with them.
    pub failed_rounds: u32,
    /// No task is started before.
    pub retry_at: Option<Timestamp>,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Its tasks register in the alternate target groups.
    #[serde(default)]
    pub alternate: bool,
    /// It is a task set of somebody else's deployments.
    #[serde(default)]
    pub task_set: Option<TaskSet>,
}

/// Where a deployment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RolloutState {
    /// On its way.
    InProgress,
    /// Its tasks are there and healthy.
    Completed,
    /// Given up; starts no task.
    Failed,
}

/// The deployment that was completed last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompletedDeployment {
    /// Its id, `ecs-svc/` and a number.
    pub deployment: String,
    /// Its service revision.
    pub service_revision: String,
    /// What it runs.
    pub workload: Workload,
}

/// How a deployment is stopped on request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopType {
    /// Leave everything as it is.
    Abort,
    /// Go back to what was completed last.
    Rollback,
}

/// The events of a service, the oldest first. A row of its own, so that a service is written without them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServiceEvents {
    /// Owner.
    pub account: AccountId,
    /// Name of the cluster.
    pub cluster: String,
    /// Name of the service.
    pub service: String,
    /// At most [`ServiceEvents::MOST`].
    pub events: Vec<ServiceEvent>,
}

/// Something that happened to a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceEvent {
    /// UUID.
    pub id: String,
    /// When.
    pub created_at: Timestamp,
    /// What, in the words of AWS.
    pub message: String,
}

/// What a service was at one time. Never changed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServiceRevision {
    /// Owner.
    pub account: AccountId,
    /// Name of the cluster.
    pub cluster: String,
    /// Name of the service.
    pub service: String,
    /// Number of 19 digits.
    pub id: String,
    /// What it runs.
    pub workload: Workload,
    /// Names and images of its containers.
    pub images: Vec<(String, String)>,
    /// Digests of the images by the names of containers. All tasks of the revision run these, once they are known.
    #[serde(default)]
    pub digests: BTreeMap<String, String>,
    /// The endpoints of its namespace when its deployment began: what its tasks reach by Service Connect.
    #[serde(default)]
    pub endpoints: Vec<ConnectEndpoint>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A service deployment: the record of one change, with its rollback if there was one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceDeployment {
    /// Owner.
    pub account: AccountId,
    /// Name of the cluster.
    pub cluster: String,
    /// Name of the service.
    pub service: String,
    /// 21 letters and digits.
    pub id: String,
    /// Ids of the service revisions that ran when it began.
    pub sources: Vec<String>,
    /// Id of the service revision that it brings.
    pub target: String,
    /// Where it stands.
    pub status: ServiceDeploymentStatus,
    /// Why, where there is something to say.
    pub status_reason: Option<String>,
    /// How it goes.
    pub configuration: DeploymentConfiguration,
    /// Tasks that failed in a row when last counted, and the number at which it is given up.
    pub failures: (u32, u32),
    /// It was given up because of them.
    pub triggered: bool,
    /// What came of its alarms.
    #[serde(default)]
    pub alarms: AlarmCheck,
    /// Its rollback.
    pub rollback: Option<Rollback>,
    /// Where it stands or ended, when it shifts traffic.
    #[serde(default)]
    pub lifecycle: Option<Lifecycle>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it was over.
    pub finished_at: Option<Timestamp>,
    /// When it was stopped.
    pub stopped_at: Option<Timestamp>,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What came of the alarms of a service deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmCheck {
    /// One had gone off before the deployment began, so none is watched.
    pub ignored: bool,
    /// Names of those that made it fail.
    pub triggered: Vec<String>,
    /// Since when it is watched only for its alarms, all else being done.
    pub baking_since: Option<Timestamp>,
}

/// How a service deployment was undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollback {
    /// Why.
    pub reason: String,
    /// When it began.
    pub started_at: Timestamp,
    /// Id of the service revision that it brings back.
    pub service_revision: String,
}

/// Where a service deployment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServiceDeploymentStatus {
    /// Asked for.
    Pending,
    /// On its way.
    InProgress,
    /// Done.
    Successful,
    /// Somebody wants it stopped.
    StopRequested,
    /// Stopped or given up, and not rolled back.
    Stopped,
    /// Somebody wants it rolled back.
    RollbackRequested,
    /// Being rolled back.
    RollbackInProgress,
    /// Rolled back.
    RollbackSuccessful,
    /// To be rolled back, which did not work.
    RollbackFailed,
}

/// A task that a service has started and not yet accounted for. Made with the task; removed when it has ended and
/// has been counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceTask {
    /// Owner.
    pub account: AccountId,
    /// Name of the cluster.
    pub cluster: String,
    /// Name of the service.
    pub service: String,
    /// Id of the task.
    pub task: String,
    /// Id of the deployment that started it.
    pub deployment: String,
    /// What it has been counted as.
    pub mark: TaskMark,
    /// When it was started.
    pub created_at: Timestamp,
}

/// What a task of a service has been counted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskMark {
    /// Nothing yet.
    New,
    /// A success.
    Healthy,
    /// A failure.
    Failed,
}

impl Stored for Service {
    const TABLE: &'static str = "ecs/service";

    fn key(&self) -> String {
        format!("{}/{}/{}", self.account, self.cluster, self.name)
    }
}

impl Stored for ServiceEvents {
    const TABLE: &'static str = "ecs/service-events";

    fn key(&self) -> String {
        format!("{}/{}/{}", self.account, self.cluster, self.service)
    }
}

impl Stored for ServiceRevision {
    const TABLE: &'static str = "ecs/service-revision";

    fn key(&self) -> String {
        format!("{}/{}/{}/{}", self.account, self.cluster, self.service, self.id)
    }
}

impl Stored for ServiceDeployment {
    const TABLE: &'static str = "ecs/service-deployment";

    fn key(&self) -> String {
        format!("{}/{}/{}/{}", self.account, self.cluster, self.service, self.id)
    }
}

impl Stored for ServiceTask {
    const TABLE: &'static str = "ecs/service-task";

    fn key(&self) -> String {
        format!("{}/{}/{}/{}", self.account, self.cluster, self.service, self.task)
    }
}

impl ServiceRegistry {
    /// The port that is registered, if any.
    pub fn registered_port(&self) -> Option<u16> {
        self.port.or(self.container_port)
    }
}

impl ServiceEvents {
    /// Most events that are kept, as on AWS.
    pub const MOST: usize = 100;

    /// Adds an event and lets the oldest go.
    pub fn add(&mut self, event: ServiceEvent) {
        self.events.push(event);
        let surplus = self.events.len().saturating_sub(Self::MOST);
        self.events.drain(..surplus);
    }
}

impl Service {
    /// The deployment that brings what is wanted.
    pub fn primary(&self) -> Option<&Deployment> {
        self.deployments.first()
    }

    /// Whether a deployment or a rollback runs this revision of a task definition, or would bring it back.
    pub fn uses(&self, family: &str, revision: u32) -> bool {
        let is = |workload: &Workload| workload.family == family && workload.revision == revision;
        self.status != ServiceStatus::Inactive
            && (self.deployments.iter().any(|deployment| is(&deployment.workload))
                || self.last_completed.as_ref().is_some_and(|completed| is(&completed.workload)))
    }
}

impl Deployment {
    /// ARN of the target group that its tasks are registered in for one of its load balancers.
    pub fn target_group_of<'a>(&self, own: &'a ServiceLoadBalancer) -> &'a str {
        let other = own.advanced.as_ref().filter(|_| self.alternate);
        other.map_or(&own.target_group_arn, |other| &other.target_group_arn)
    }
}

impl DeploymentConfiguration {
    /// Tasks that stay healthy while a deployment goes on.
    pub fn minimum(&self, desired: u32) -> u32 {
        percent(desired, self.minimum_healthy_percent, true)
    }

    /// Tasks that may run or start while a deployment goes on.
    pub fn maximum(&self, desired: u32) -> u32 {
        percent(desired, self.maximum_percent, false)
    }

    /// Failures in a row at which a deployment is given up: half of the desired count, between 3 and 200.
    pub fn threshold(desired: u32) -> u32 {
        desired.div_ceil(2).clamp(3, 200)
    }
}

fn percent(count: u32, percent: u32, up: bool) -> u32 {
    let product = u64::from(count) * u64::from(percent);
    let share = if up { product.div_ceil(100) } else { product / 100 };
    u32::try_from(share).unwrap_or(u32::MAX)
}

impl ServiceDeploymentStatus {
    /// Whether nothing more will become of it.
    pub const fn is_final(self) -> bool {
        match self {
            Self::Successful | Self::Stopped | Self::RollbackSuccessful | Self::RollbackFailed => true,
            Self::Pending
            | Self::InProgress
            | Self::StopRequested
            | Self::RollbackRequested
            | Self::RollbackInProgress => false,
        }
    }
}

impl ServiceStatus {
    /// As the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Draining => "DRAINING",
            Self::Inactive => "INACTIVE",
        }
    }
}
