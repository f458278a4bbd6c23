//! Elastic Load Balancing, version 2: application and network load balancers, their listeners and rules, target groups.
//!
//! Operations write rows and answer; the controller of load balancers gives a load balancer its address, tells the data
//! plane, and writes back what works and how the targets are. Promises: whatever names a target group, a listener or a
//! certificate is written only while that is there; priorities and ports are never given twice.
//!
//! Left out: trust stores and mutual authentication, capacity reservations, authentication actions, transforms, and the
//! target types `lambda` and `alb`; what asks for them is refused. Groups of the type `instance` stay empty: a region has no
//! instances.

mod actions;
mod attributes;
mod certificates;
mod conditions;
mod errors;
mod find;
mod groups;
mod limits;
mod names;
mod operations;
mod paging;
mod permissions;
mod render;
mod retry;
pub mod shapes;
mod ssl_policies;
mod subnets;
mod tags;

#[cfg(test)]
mod tests;

use environment::Environment;
#[allow(
    clippy::wildcard_imports,
    reason = "the macro below names an input and an output for every operation"
)]
use shapes::*;
use store::Tables;
use virtual_networks::VirtualNetworks;

/// The service.
pub struct ElbV2Service {
    pub(crate) tables: Tables,
    pub(crate) networks: VirtualNetworks,
}

impl ElbV2Service {
    /// The service over a region's tables and networks.
    pub fn new(tables: Tables, networks: VirtualNetworks) -> Self {
        Self { tables, networks }
    }

    pub(crate) fn environment(&self) -> &Environment {
        self.tables.environment()
    }
}

aws_wire::operations! {
    ElbV2 for ElbV2Service;
    add_listener_certificates: AddListenerCertificatesInput => AddListenerCertificatesOutput, listener_certificates::add_listener_certificates;
    add_tags: AddTagsInput => AddTagsOutput, tags::add_tags;
    create_listener: CreateListenerInput => CreateListenerOutput, create_listener::run;
    create_load_balancer: CreateLoadBalancerInput => CreateLoadBalancerOutput, create_load_balancer::run;
    create_rule: CreateRuleInput => CreateRuleOutput, create_rule::run;
    create_target_group: CreateTargetGroupInput => CreateTargetGroupOutput, create_target_group::run;
    delete_listener: DeleteListenerInput => DeleteListenerOutput, delete_listener::run;
    delete_load_balancer: DeleteLoadBalancerInput => DeleteLoadBalancerOutput, delete_load_balancer::run;
    delete_rule: DeleteRuleInput => DeleteRuleOutput, delete_rule::run;
    delete_target_group: DeleteTargetGroupInput => DeleteTargetGroupOutput, delete_target_group::run;
    deregister_targets: DeregisterTargetsInput => DeregisterTargetsOutput, targets::deregister_targets;
    describe_account_limits: DescribeAccountLimitsInput => DescribeAccountLimitsOutput, describe_account_limits::run;
    describe_listener_attributes: DescribeListenerAttributesInput => DescribeListenerAttributesOutput, attributes::describe_listener_attributes;
    describe_listener_certificates: DescribeListenerCertificatesInput => DescribeListenerCertificatesOutput, listener_certificates::describe_listener_certificates;
    describe_listeners: DescribeListenersInput => DescribeListenersOutput, describe_listeners::run;
    describe_load_balancer_attributes: DescribeLoadBalancerAttributesInput => DescribeLoadBalancerAttributesOutput, attributes::describe_load_balancer_attributes;
    describe_load_balancers: DescribeLoadBalancersInput => DescribeLoadBalancersOutput, describe_load_balancers::run;
    describe_rules: DescribeRulesInput => DescribeRulesOutput, describe_rules::run;
    describe_ssl_policies: DescribeSSLPoliciesInput => DescribeSSLPoliciesOutput, describe_ssl_policies::run;
    describe_tags: DescribeTagsInput => DescribeTagsOutput, tags::describe_tags;
    describe_target_group_attributes: DescribeTargetGroupAttributesInput => DescribeTargetGroupAttributesOutput, attributes::describe_target_group_attributes;
    describe_target_groups: DescribeTargetGroupsInput => DescribeTargetGroupsOutput, describe_target_groups::run;
    describe_target_health: DescribeTargetHealthInput => DescribeTargetHealthOutput, describe_target_health::run;
    modify_listener: ModifyListenerInput => ModifyListenerOutput, modify_listener::run;
    modify_listener_attributes: ModifyListenerAttributesInput => ModifyListenerAttributesOutput, attributes::modify_listener_attributes;
    modify_load_balancer_attributes: ModifyLoadBalancerAttributesInput => ModifyLoadBalancerAttributesOutput, attributes::modify_load_balancer_attributes;
    modify_rule: ModifyRuleInput => ModifyRuleOutput, modify_rule::run;
    modify_target_group: ModifyTargetGroupInput => ModifyTargetGroupOutput, modify_target_group::run;
    modify_target_group_attributes: ModifyTargetGroupAttributesInput => ModifyTargetGroupAttributesOutput, attributes::modify_target_group_attributes;
    register_targets: RegisterTargetsInput => RegisterTargetsOutput, targets::register_targets;
    remove_listener_certificates: RemoveListenerCertificatesInput => RemoveListenerCertificatesOutput, listener_certificates::remove_listener_certificates;
    remove_tags: RemoveTagsInput => RemoveTagsOutput, tags::remove_tags;
    set_ip_address_type: SetIpAddressTypeInput => SetIpAddressTypeOutput, load_balancer_settings::set_ip_address_type;
    set_rule_priorities: SetRulePrioritiesInput => SetRulePrioritiesOutput, set_rule_priorities::run;
    set_security_groups: SetSecurityGroupsInput => SetSecurityGroupsOutput, load_balancer_settings::set_security_groups;
    set_subnets: SetSubnetsInput => SetSubnetsOutput, load_balancer_settings::set_subnets;
}
