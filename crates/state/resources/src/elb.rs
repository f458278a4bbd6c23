//! Elastic Load Balancing: load balancers, listeners, rules, target groups, targets.
//!
//! Rows refer to each other by ARN, which every row but a target has as it was given out; the key is in the ARN, so that a
//! row is found by it. What is wanted is written by operations and by the registration of services' tasks; what is seen
//! ([`LoadBalancerState`], [`TargetHealth`], the address) by the controller of load balancers alone.

mod arn;
mod listener;
mod load_balancer;
mod rule;
mod target;
mod target_group;

pub use arn::{LISTENER, LISTENER_RULE, LOAD_BALANCER, TARGET_GROUP, account_and_rest};
pub use listener::{Listener, ListenerCertificate};
pub use load_balancer::{LoadBalancer, LoadBalancerKind, LoadBalancerState, LoadBalancerZone};
pub use rule::{
    Action, Condition, FixedResponse, Forward, GroupStickiness, QueryPair, Redirect, Rule,
    WeightedTargetGroup,
};
pub use target::{Target, TargetHealth, TargetState};
pub use target_group::{HealthCheck, Protocol, ProtocolVersion, TargetGroup, TargetType};

/// Tags: keys and values.
pub type Tags = Vec<(String, String)>;
