//! Operations one after the other over a store in memory, as clients call them.

use crate::ElbV2Service;
use crate::shapes::ElbV2;
use crate::shapes::*;
use aws_wire::{Extensions, RequestContext, ServiceError};
use environment::{Environment, Timestamp};
use resources::ec2::{Address, InterfaceUse, NetworkInterface, Subnet, Vpc};
use resources::elb::{LoadBalancer as LoadBalancerRow, Target, TargetHealth, TargetState};
use std::net::{IpAddr, Ipv4Addr};
use store::{MemoryStore, Tables};
use virtual_networks::VirtualNetworks;

async fn service() -> ElbV2Service {
    let (environment, _) = Environment::simulated(Timestamp::from_seconds(1_000), 1);
    let tables = Tables::new(MemoryStore::new(environment.clone()), environment);
    let networks = VirtualNetworks::new(tables.clone(), "10.88.0.0/16".parse().expect("a range"));
    networks.ensure_default(&context().account).await.expect("makes");
    ElbV2Service::new(tables, networks)
}

/// Ids of the default subnets.
async fn subnets(service: &ElbV2Service) -> Vec<String> {
    let rows = service.tables.list_all::<Subnet>("").await.expect("lists");
    rows.iter().map(|row| row.id.clone()).collect()
}

/// Id of the default VPC.
async fn vpc(service: &ElbV2Service) -> Option<String> {
    service.tables.list_all::<Vpc>("").await.expect("lists").first().map(|row| row.id.clone())
}

fn context() -> RequestContext {
    RequestContext {
        account: "123456789012".parse().expect("an account"),
        region: "us-east-1".parse().expect("a region"),
        principal_arn: "arn:aws:iam::123456789012:root".into(),
        principal_id: "123456789012".into(),
        request_id: "r".into(),
        source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        host: "localhost".into(),
        time: Timestamp::from_seconds(1_000),
        extensions: Extensions::default(),
    }
}

fn code<T: std::fmt::Debug>(answer: Result<T, ServiceError>) -> &'static str {
    let shape = answer.expect_err("is refused").shape;
    shape.query_code.unwrap_or(shape.name)
}

async fn load_balancer(service: &ElbV2Service, name: &str) -> String {
    let input = CreateLoadBalancerInput {
        name: name.to_owned(),
        subnets: Some(subnets(service).await),
        ..CreateLoadBalancerInput::default()
    };
    let made = service.create_load_balancer(&context(), input).await.expect("creates");
    let made = made.load_balancers.expect("one").remove(0);
    made.load_balancer_arn.expect("an ARN")
}

async fn target_group(service: &ElbV2Service, name: &str) -> String {
    let input = CreateTargetGroupInput {
        name: name.to_owned(),
        protocol: Some(ProtocolEnum::Http),
        port: Some(80),
        target_type: Some(TargetTypeEnum::Ip),
        vpc_id: vpc(service).await,
        ..CreateTargetGroupInput::default()
    };
    let made = service.create_target_group(&context(), input).await.expect("creates");
    made.target_groups.expect("one").remove(0).target_group_arn.expect("an ARN")
}

fn forward(arn: &str) -> Vec<Action> {
    vec![Action {
        r#type: ActionTypeEnum::Forward,
        target_group_arn: Some(arn.to_owned()),
        ..Action::default()
    }]
}

async fn listener(
    service: &ElbV2Service,
    balancer: &str,
    port: i32,
    group: &str,
) -> Result<String, ServiceError> {
    let input = CreateListenerInput {
        load_balancer_arn: balancer.to_owned(),
        protocol: Some(ProtocolEnum::Http),
        port: Some(port),
        default_actions: forward(group),
        ..CreateListenerInput::default()
    };
    let made = service.create_listener(&context(), input).await?;
    Ok(made.listeners.expect("one").remove(0).listener_arn.expect("an ARN"))
}

async fn rule(
    service: &ElbV2Service,
    listener: &str,
    priority: i32,
    group: &str,
) -> Result<String, ServiceError> {
    let input = CreateRuleInput {
        listener_arn: listener.to_owned(),
        priority,
        conditions: vec![RuleCondition {
            field: Some("path-pattern".to_owned()),
            values: Some(vec![format!("/{priority}/*")]),
            ..RuleCondition::default()
        }],
        actions: forward(group),
        ..CreateRuleInput::default()
    };
    let made = service.create_rule(&context(), input).await?;
    Ok(made.rules.expect("one").remove(0).rule_arn.expect("an ARN"))
}

#[tokio::test]
async fn a_load_balancer_is_made_once_and_goes_with_all_that_hangs_on_it() {
    let service = service().await;
    let balancer = load_balancer(&service, "web").await;
    assert!(
        balancer.starts_with("arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/web/")
    );
    assert_eq!(load_balancer(&service, "web").await, balancer, "the same again is the same");
    let other = CreateLoadBalancerInput {
        name: "web".to_owned(),
        subnets: Some(subnets(&service).await[..1].to_vec()),
        ..CreateLoadBalancerInput::default()
    };
    let refused = service.create_load_balancer(&context(), other).await;
    assert_eq!(code(refused), "DuplicateLoadBalancerName");
    let group = target_group(&service, "web").await;
    let own = listener(&service, &balancer, 80, &group).await.expect("creates");
    assert_eq!(listener(&service, &balancer, 80, &group).await.expect("the same"), own);
    rule(&service, &own, 5, &group).await.expect("creates");
    let delete = DeleteTargetGroupInput { target_group_arn: group.clone() };
    assert_eq!(code(service.delete_target_group(&context(), delete.clone()).await), "ResourceInUse");
    let gone = DeleteLoadBalancerInput { load_balancer_arn: balancer.clone() };
    service.delete_load_balancer(&context(), gone.clone()).await.expect("deletes");
    service.delete_load_balancer(&context(), gone).await.expect("is gone already");
    let described =
        DescribeListenersInput { listener_arns: Some(vec![own]), ..DescribeListenersInput::default() };
    assert_eq!(code(service.describe_listeners(&context(), described).await), "ListenerNotFound");
    service.delete_target_group(&context(), delete).await.expect("nothing uses it");
}

#[tokio::test]
async fn priorities_and_ports_are_given_once() {
    let service = service().await;
    let balancer = load_balancer(&service, "web").await;
    let (a, b) = (target_group(&service, "a").await, target_group(&service, "b").await);
    let own = listener(&service, &balancer, 80, &a).await.expect("creates");
    assert_eq!(code(listener(&service, &balancer, 80, &b).await), "DuplicateListener");
    let first = rule(&service, &own, 1, &b).await.expect("creates");
    let second = rule(&service, &own, 2, &b).await.expect("creates");
    assert_eq!(code(rule(&service, &own, 1, &a).await), "PriorityInUse");
    let pair =
        |arn: &str, priority| RulePriorityPair { rule_arn: Some(arn.to_owned()), priority: Some(priority) };
    let swap = vec![pair(&first, 2), pair(&second, 1)];
    let input = SetRulePrioritiesInput { rule_priorities: swap };
    service.set_rule_priorities(&context(), input).await.expect("swaps");
    let input = SetRulePrioritiesInput { rule_priorities: vec![pair(&first, 1)] };
    assert_eq!(code(service.set_rule_priorities(&context(), input).await), "PriorityInUse");
    let input = DescribeRulesInput { listener_arn: Some(own), ..DescribeRulesInput::default() };
    let rules = service.describe_rules(&context(), input).await.expect("describes").rules.expect("some");
    let priorities: Vec<_> = rules.iter().filter_map(|rule| rule.priority.as_deref()).collect();
    assert_eq!(priorities, ["1", "2", "default"]);
    assert_eq!(rules[0].rule_arn.as_deref(), Some(second.as_str()));
    let default = rules[2].rule_arn.clone().expect("an ARN");
    let refused = service.delete_rule(&context(), DeleteRuleInput { rule_arn: default }).await;
    assert_eq!(code(refused), "OperationNotPermitted");
}

#[tokio::test]
async fn a_target_group_belongs_to_one_load_balancer_of_its_protocol() {
    let service = service().await;
    let (one, two) = (load_balancer(&service, "one").await, load_balancer(&service, "two").await);
    let group = target_group(&service, "web").await;
    listener(&service, &one, 80, &group).await.expect("creates");
    assert_eq!(code(listener(&service, &two, 80, &group).await), "TargetGroupAssociationLimit");
    let stranger = group.replace("web", "nowhere");
    assert_eq!(code(listener(&service, &two, 80, &stranger).await), "TargetGroupNotFound");
    let stream = CreateTargetGroupInput {
        name: "stream".to_owned(),
        protocol: Some(ProtocolEnum::Tcp),
        port: Some(80),
        target_type: Some(TargetTypeEnum::Ip),
        vpc_id: vpc(&service).await,
        ..CreateTargetGroupInput::default()
    };
    let made = service.create_target_group(&context(), stream.clone()).await.expect("creates");
    let stream_arn = made.target_groups.expect("one").remove(0).target_group_arn.expect("an ARN");
    assert_eq!(code(listener(&service, &two, 80, &stream_arn).await), "IncompatibleProtocols");
    for target_type in [Some(TargetTypeEnum::Alb), Some(TargetTypeEnum::Lambda)] {
        let input = CreateTargetGroupInput { name: "x".to_owned(), target_type, ..stream.clone() };
        let refused = service.create_target_group(&context(), input).await;
        assert_eq!(code(refused), "InvalidConfigurationRequest");
    }
}

#[tokio::test]
async fn a_group_of_instances_stays_empty() {
    let service = service().await;
    let input = CreateTargetGroupInput {
        name: "instances".to_owned(),
        protocol: Some(ProtocolEnum::Http),
        port: Some(80),
        vpc_id: vpc(&service).await,
        ..CreateTargetGroupInput::default()
    };
    let unchecked = CreateTargetGroupInput { health_check_enabled: Some(false), ..input.clone() };
    assert_eq!(code(service.create_target_group(&context(), unchecked).await), "ValidationError");
    let made = service.create_target_group(&context(), input).await.expect("creates");
    let made = made.target_groups.expect("one").remove(0);
    assert_eq!(made.target_type, Some(TargetTypeEnum::Instance), "as on AWS when nothing is told");
    for id in ["i-0123456789abcdef0", "10.0.0.1"] {
        let register = RegisterTargetsInput {
            target_group_arn: made.target_group_arn.clone().expect("an ARN"),
            targets: vec![TargetDescription { id: id.to_owned(), ..TargetDescription::default() }],
        };
        assert_eq!(code(service.register_targets(&context(), register).await), "InvalidTarget");
    }
}

#[tokio::test]
async fn targets_drain_and_may_come_back() {
    let service = service().await;
    let group = target_group(&service, "web").await;
    let target = |id: &str| vec![TargetDescription { id: id.to_owned(), ..TargetDescription::default() }];
    let register = |id: &str| RegisterTargetsInput { target_group_arn: group.clone(), targets: target(id) };
    let deregister = DeregisterTargetsInput { target_group_arn: group.clone(), targets: target("10.0.0.1") };
    let rows = || async { service.tables.list_all::<Target>("").await.expect("lists") };
    service.register_targets(&context(), register("10.0.0.1")).await.expect("registers");
    assert_eq!(code(service.register_targets(&context(), register("127.0.0.1")).await), "InvalidTarget");
    assert_eq!((rows().await.len(), rows().await[0].port), (1, 80));
    service.deregister_targets(&context(), deregister.clone()).await.expect("deregisters");
    service.deregister_targets(&context(), deregister).await.expect("does so already");
    assert_eq!(rows().await[0].health.state, TargetState::Draining);
    service.register_targets(&context(), register("10.0.0.1")).await.expect("registers");
    assert_eq!(
        (rows().await[0].draining_since, rows().await[0].health.clone()),
        (None, TargetHealth::initial())
    );
    let input = DescribeTargetHealthInput {
        target_group_arn: group.clone(),
        targets: Some(target("10.0.0.2")),
        ..DescribeTargetHealthInput::default()
    };
    let health = service.describe_target_health(&context(), input).await.expect("describes");
    let health = health.target_health_descriptions.expect("one").remove(0).target_health.expect("health");
    assert_eq!(health.reason, Some(TargetHealthReasonEnum::TargetNotRegistered));
}

#[tokio::test]
async fn changed_groups_are_those_of_the_interfaces_and_an_address_goes_with_its_subnet() {
    let service = service().await;
    let arn = load_balancer(&service, "web").await;
    let account = context().account;
    let row = service.tables.list_all::<LoadBalancerRow>("").await.expect("lists").remove(0);
    let subnet =
        service.networks.subnet(&account, &row.zones[0].subnet).await.expect("reads").expect("is there");
    let group =
        service.networks.default_group(&account, &subnet.vpc).await.expect("reads").expect("is there");
    let reserved = service.networks.reserve(&subnet).await.expect("reads").expect("has room");
    let used_by = InterfaceUse::LoadBalancer { arn: arn.clone() };
    let interface = service.networks.interface(&subnet, &[], reserved.address(), used_by, "ELB app/web/1");
    let mut new = LoadBalancerRow::clone(&row);
    new.zones[0].interface = Some(interface.id.clone());
    new.zones[0].address = Some(interface.address);
    let batch = service.tables.batch().replace(&row, &new);
    VirtualNetworks::attach(batch, &subnet, &[], &interface).commit().await.expect("writes");
    let set = SetSecurityGroupsInput {
        load_balancer_arn: arn.clone(),
        security_groups: vec![group.id.clone()],
        ..SetSecurityGroupsInput::default()
    };
    service.set_security_groups(&context(), set).await.expect("sets");
    let shown = service.tables.list_all::<NetworkInterface>("").await.expect("lists").remove(0);
    assert_eq!(shown.groups, std::slice::from_ref(&group.id));
    let move_to = |subnets: Vec<String>| SetSubnetsInput {
        load_balancer_arn: arn.clone(),
        subnets: Some(subnets),
        ..SetSubnetsInput::default()
    };
    let all = subnets(&service).await;
    let addresses = || async {
        let row = service.tables.list_all::<LoadBalancerRow>("").await.expect("lists").remove(0);
        row.zones.iter().map(|zone| zone.address).collect::<Vec<_>>()
    };
    let others: Vec<String> = all.into_iter().filter(|id| *id != subnet.id).collect();
    let with_others = [vec![others[0].clone(), subnet.id.clone()], others.clone()];
    service.set_subnets(&context(), move_to(with_others[0].clone())).await.expect("sets");
    assert_eq!(addresses().await, [None, Some(interface.address)]);
    service.set_subnets(&context(), move_to(with_others[1].clone())).await.expect("sets");
    assert_eq!(addresses().await, vec![None; others.len()]);
    assert!(service.tables.list_all::<NetworkInterface>("").await.expect("lists").is_empty());
    assert!(service.tables.list_all::<Address>("").await.expect("lists").is_empty());
}
