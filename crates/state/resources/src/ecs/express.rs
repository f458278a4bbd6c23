//! Express services: services whose load balancer, target groups, security groups, certificate and log group are made
//! and taken away by ECS.
//!
//! What an express service runs is in the row of its [`Service`](super::Service), as of any other. This row has what is
//! more: the role by which the rest is made, the names of the rest, and the configurations of its service revisions.

use crate::Stored;
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What an express service has beside its service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpressService {
    /// Owner.
    pub account: AccountId,
    /// Name of its cluster.
    pub cluster: String,
    /// Name of its service.
    pub name: String,
    /// When its service was made; a later service of the same name is another.
    pub service_created_at: Timestamp,
    /// 8 hexadecimal digits that end its names.
    pub id: String,
    /// ARN of the role by which everything is made.
    pub infrastructure_role: String,
    /// The name that its requests are for, under `.elb.localhost`.
    pub host: String,
    /// Its load balancer is reached from outside, as told to Elastic Load Balancing.
    pub public: bool,
    /// Its VPC.
    pub vpc: String,
    /// Subnets of its load balancer.
    pub subnets: Vec<String>,
    /// Name of the log group that is made for it; none where its containers log to a group of the caller's.
    pub log_group: Option<String>,
    /// Name of its load balancer, once it has one.
    pub gateway: Option<String>,
    /// Name of the security group of its tasks.
    pub security_group: String,
    /// Names of its two target groups: that of its first deployment, and the alternate one.
    pub target_groups: (String, String),
    /// Names of target groups that others have taken the place of.
    pub old_target_groups: Vec<String>,
    /// The newest first; at most [`ExpressService::MOST_CONFIGURATIONS`].
    pub configurations: Vec<ExpressConfiguration>,
    /// The newest configuration waits for its deployment.
    pub is_pending: bool,
    /// Why the last attempt to make or take away something failed, and when it did first.
    pub trouble: Option<(String, Timestamp)>,
    /// Everything that was made for it is taken away.
    pub is_gone: bool,
    /// When its configuration last changed.
    pub updated_at: Timestamp,
}

/// What an express service was told at one time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpressConfiguration {
    /// Id of its service revision, 19 digits. The revision is there once its deployment has begun.
    pub service_revision: String,
    /// Family of its task definition.
    pub family: String,
    /// Revision of its task definition.
    pub revision: u32,
    /// Port of its container.
    pub port: u16,
    /// Path that is asked for the health of its tasks.
    pub health_check_path: String,
    /// Subnets of its tasks.
    pub subnets: Vec<String>,
    /// Security groups of its tasks, beside the one that is made for them.
    pub security_groups: Vec<String>,
    /// How many tasks it has.
    pub scaling: ExpressScaling,
    /// When it was told.
    pub created_at: Timestamp,
}

/// How many tasks an express service has. There is no scaling by metrics, so it is one number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpressScaling {
    /// Tasks.
    pub count: u32,
    /// The metric as told, for example `AVERAGE_CPU`.
    pub metric: String,
    /// The value of the metric as told.
    pub target: i32,
}

/// A load balancer that express services of one network share, and what belongs to it. Whoever joins or leaves it
/// replaces this row, so that none joins one that is being taken away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpressGateway {
    /// Owner.
    pub account: AccountId,
    /// Name of the load balancer, and of its default certificate.
    pub name: String,
    /// Name of its security group.
    pub security_group: String,
    /// Its VPC.
    pub vpc: String,
    /// Its subnets.
    pub subnets: Vec<String>,
    /// It is reached from outside.
    pub public: bool,
    /// Keys of the express services that share it.
    pub services: BTreeSet<String>,
    /// It is being taken away.
    pub closing: bool,
}

impl ExpressService {
    /// Name of the container that gets the requests.
    pub const CONTAINER: &'static str = "Main";
    /// Most configurations that are kept.
    pub const MOST_CONFIGURATIONS: usize = 10;
    /// Path of the certificates of express services.
    pub const CERTIFICATES: &'static str = "/ecs-express-gateway/";

    /// Name of its certificate: the first part of its host.
    pub fn certificate(&self) -> &str {
        self.host.split('.').next().unwrap_or(&self.host)
    }

    /// The configuration that a service revision runs; that of a revision that was made by other means is the newest.
    pub fn configuration(&self, service_revision: &str) -> Option<&ExpressConfiguration> {
        let own = self.configurations.iter().find(|own| own.service_revision == service_revision);
        own.or_else(|| self.configurations.first())
    }
}

impl ExpressGateway {
    /// Most services of a load balancer: one certificate each, and its listener takes no more.
    pub const MOST_SERVICES: usize = 25;

    /// Whether a service that is not its own yet may join it.
    pub fn takes(&self, service: &ExpressService) -> bool {
        !self.closing
            && self.account == service.account
            && self.public == service.public
            && self.subnets == service.subnets
            && self.services.len() < Self::MOST_SERVICES
    }
}

impl Stored for ExpressService {
    const TABLE: &'static str = "ecs/express-service";

    fn key(&self) -> String {
        format!("{}/{}/{}", self.account, self.cluster, self.name)
    }
}

impl Stored for ExpressGateway {
    const TABLE: &'static str = "ecs/express-gateway";

    fn key(&self) -> String {
        format!("{}/{}", self.account, self.name)
    }
}
