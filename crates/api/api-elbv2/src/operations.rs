//! The operations: a file for each, or one for those that mirror each other.

pub(crate) mod attributes;
pub(crate) mod create_listener;
pub(crate) mod create_load_balancer;
pub(crate) mod create_rule;
pub(crate) mod create_target_group;
pub(crate) mod delete_listener;
pub(crate) mod delete_load_balancer;
pub(crate) mod delete_rule;
pub(crate) mod delete_target_group;
pub(crate) mod describe_account_limits;
pub(crate) mod describe_listeners;
pub(crate) mod describe_load_balancers;
pub(crate) mod describe_rules;
pub(crate) mod describe_ssl_policies;
pub(crate) mod describe_target_groups;
pub(crate) mod describe_target_health;
pub(crate) mod listener_certificates;
pub(crate) mod load_balancer_settings;
pub(crate) mod modify_listener;
pub(crate) mod modify_rule;
pub(crate) mod modify_target_group;
pub(crate) mod set_rule_priorities;
pub(crate) mod tags;
pub(crate) mod targets;
