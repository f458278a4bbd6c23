//! ECS: clusters, task definitions, tasks, services, container instances.

mod account_setting;
mod cluster;
mod connect;
mod container_instance;
mod deploy;
mod express;
mod launch;
mod lifecycle;
mod service;
mod strategy;
mod task;
mod task_definition;
mod traffic;
mod volume;

pub use account_setting::AccountSetting;
pub use cluster::{Cluster, ClusterStatus, ExecuteCommandLogging};
pub use connect::{
    ClientAlias, ConnectAccessLog, ConnectEndpoint, ConnectIngress, ConnectLogs, ConnectProtocol,
    ConnectService, ServiceConnect, TaskConnect, TestHeader,
};
pub use container_instance::{ContainerInstance, FARGATE_HOSTS, InstanceStatus, Lack, NO_CAPACITY, Size};
pub use express::{ExpressConfiguration, ExpressGateway, ExpressScaling, ExpressService};
pub use launch::Launch;
pub use lifecycle::{TaskEvent, TaskStatus, next};
pub use service::{
    AlarmCheck, AlternateTargets, CompletedDeployment, Controller, Deployment, DeploymentAlarms,
    DeploymentConfiguration, PropagateTags, Rollback, RolloutState, Service, ServiceDeployment,
    ServiceDeploymentStatus, ServiceEvent, ServiceEvents, ServiceLoadBalancer, ServiceRegistry,
    ServiceRevision, ServiceStatus, ServiceTask, StopType, TaskMark, Workload,
};
pub use strategy::StrategyItem;
pub use task::{
    ContainerOverride, DesiredStatus, ExecAgent, HealthStatus, NetworkInterface, RunToken, StopCode, Task,
    TaskContainer, TaskOverride, TaskRegistry,
};
pub use task_definition::{
    ContainerDefinition, DefinitionStatus, Dependency, DependencyCondition, Firelens, HealthCheck,
    LinuxParameters, LogConfiguration, MountPoint, PortMapping, RestartPolicy, SecretSource, TaskDefinition,
    TaskFamily, Tmpfs, Ulimit, VersionConsistency, VolumeFrom,
};
pub use traffic::{
    AlternateShare, HookAction, HookEndpoint, HookRun, HookStatus, HookTarget, Lifecycle, LifecycleHook,
    LifecycleStage, Strategy, TaskSet, TrafficStep, WHOLE, weights,
};
pub use volume::{EfsVolume, ManagedVolume, VolumeKind, VolumeRequest};

use serde::{Deserialize, Serialize};

/// A tag of a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// At most 128 characters.
    pub key: String,
    /// At most 256 characters.
    pub value: String,
}
