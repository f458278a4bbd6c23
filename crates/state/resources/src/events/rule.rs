//! Rules and their targets.

use crate::Stored;
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};

/// A rule of an event bus, with its targets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Owner.
    pub account: AccountId,
    /// Name of the bus.
    pub bus: String,
    /// Name.
    pub name: String,
    /// Which events it is for, as given.
    #[serde(default)]
    pub pattern: Option<String>,
    /// When it makes an event of its own, as given.
    #[serde(default)]
    pub schedule: Option<String>,
    /// Since when the schedule counts.
    pub scheduled_from: Timestamp,
    /// Whether it does anything.
    pub enabled: bool,
    /// Whether it gets the events of reading API calls, too (`ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS`).
    #[serde(default)]
    pub all_management_events: bool,
    /// Description.
    #[serde(default)]
    pub description: Option<String>,
    /// Role of the rule itself, kept as given; targets have roles of their own.
    #[serde(default)]
    pub role_arn: Option<String>,
    /// Tags.
    #[serde(default)]
    pub tags: Vec<(String, String)>,
    /// What it sends to.
    #[serde(default)]
    pub targets: Vec<Target>,
    /// Account of whoever made it.
    pub created_by: String,
}

/// When a rule with a schedule was last due. A row of its own: rules are read with every event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleClock {
    /// Owner.
    pub account: AccountId,
    /// Name of the bus.
    pub bus: String,
    /// Name of the rule.
    pub rule: String,
    /// The last time that was acted upon.
    pub fired: Timestamp,
}

/// Where events go, and what of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Id, unique in its rule.
    pub id: String,
    /// What is called: an ECS cluster, a log group, an API destination, an event bus.
    pub arn: String,
    /// The role it is called with.
    #[serde(default)]
    pub role_arn: Option<String>,
    /// What is sent.
    #[serde(default)]
    pub input: Input,
    /// What ECS is to run.
    #[serde(default)]
    pub ecs: Option<EcsParameters>,
    /// How an API destination is called.
    #[serde(default)]
    pub http: Option<HttpParameters>,
    /// Source and detail type of an event that is put on a bus.
    #[serde(default)]
    pub event: Option<(String, String)>,
    /// How often and how long it is tried.
    #[serde(default)]
    pub retry: RetryPolicy,
}

/// What is sent to a target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Input {
    /// The event.
    #[default]
    Event,
    /// A part of it.
    Path(String),
    /// Always the same.
    Constant(String),
    /// A template and its variables.
    Transformer {
        /// Paths by name.
        paths: Vec<(String, String)>,
        /// The template.
        template: String,
    },
}

/// How often and how long something is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Attempts after the first.
    pub attempts: u32,
    /// Seconds after which an event is given up.
    pub age: u32,
}

/// What ECS is to run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EcsParameters {
    /// Task definition; without a revision the newest.
    pub task_definition_arn: String,
    /// How many tasks.
    pub count: u32,
    /// Launch type.
    #[serde(default)]
    pub launch_type: Option<String>,
    /// Network of the tasks.
    #[serde(default)]
    pub network: Option<TaskNetwork>,
    /// Platform version.
    #[serde(default)]
    pub platform_version: Option<String>,
    /// Group of the tasks.
    #[serde(default)]
    pub group: Option<String>,
    /// Capacity providers.
    #[serde(default)]
    pub strategy: Vec<StrategyItem>,
    /// Whether ECS tags the tasks.
    #[serde(default)]
    pub managed_tags: bool,
    /// Whether commands may be run in the tasks.
    #[serde(default)]
    pub execute_command: bool,
    /// Whether the tasks get the tags of their task definition.
    #[serde(default)]
    pub propagate_tags: bool,
    /// Reference.
    #[serde(default)]
    pub reference_id: Option<String>,
    /// Tags of the tasks.
    #[serde(default)]
    pub tags: Vec<(String, String)>,
}

/// A capacity provider and its share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrategyItem {
    /// Name.
    pub provider: String,
    /// Share beyond the base.
    pub weight: i32,
    /// Tasks it gets first.
    pub base: i32,
}

/// Network of tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskNetwork {
    /// Subnets.
    pub subnets: Vec<String>,
    /// Security groups.
    #[serde(default)]
    pub security_groups: Vec<String>,
    /// `ENABLED` or `DISABLED`, where given.
    #[serde(default)]
    pub assign_public_ip: Option<String>,
}

/// How an API destination is called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpParameters {
    /// What stands for the asterisks of the path, in their order.
    #[serde(default)]
    pub path_values: Vec<String>,
    /// Headers.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// Parameters of the query string.
    #[serde(default)]
    pub query: Vec<(String, String)>,
}

impl Default for RetryPolicy {
    /// AWS's: 185 attempts in 24 hours.
    fn default() -> Self {
        Self { attempts: 185, age: 86_400 }
    }
}

impl Rule {
    /// Key of a rule.
    pub fn key_of(account: &AccountId, bus: &str, name: &str) -> String {
        format!("{account}/{bus}/{name}")
    }
}

impl Stored for Rule {
    const TABLE: &'static str = "events/rule";

    fn key(&self) -> String {
        Self::key_of(&self.account, &self.bus, &self.name)
    }
}

impl Stored for RuleClock {
    const TABLE: &'static str = "events/rule-clock";

    fn key(&self) -> String {
        Rule::key_of(&self.account, &self.bus, &self.rule)
    }
}
