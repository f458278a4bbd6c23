//! The rows that a region begins with.

use super::world::Kind;
use environment::Timestamp;
use ipnet::Ipv4Net;
use resources::cloudwatch::Alarm;
use resources::discovery::{
    CustomHealth, DiscoveryService, DnsConfig, DnsRecord, RecordKind, RoutingPolicy, Tags,
};
use resources::ec2::Subnet;
use resources::ecs::{
    AlternateTargets, ContainerDefinition, ContainerInstance, Controller, DefinitionStatus,
    DeploymentConfiguration, FARGATE_HOSTS, HealthCheck, HookEndpoint, InstanceStatus, PropagateTags,
    Service, ServiceLoadBalancer, ServiceRegistry, ServiceStatus, TaskDefinition, Workload,
};
use resources::elb::{Listener, LoadBalancer, Rule, TargetGroup};
use serde_json::json;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use store::Tables;
use virtual_networks::VirtualNetworks;

pub const ACCOUNT: &str = "123456789012";
/// Key of the service.
pub const KEY: &str = "123456789012/default/web";
/// Function that deployments wait for.
pub const FUNCTION: &str = "arn:aws:lambda:us-east-1:123456789012:function:check";
/// Name of the alarm that deployments may watch.
pub const ALARM: &str = "hot";
/// The two subnets, each with eleven addresses.
const SUBNETS: [(&str, &str, Ipv4Addr); 2] =
    [("subnet-1", "a", Ipv4Addr::new(10, 88, 0, 0)), ("subnet-2", "b", Ipv4Addr::new(10, 88, 0, 16))];

pub fn account() -> identifiers::AccountId {
    ACCOUNT.parse().expect("an account")
}

/// The region's addresses.
pub fn range() -> Ipv4Net {
    Ipv4Net::new(Ipv4Addr::new(10, 88, 0, 0), 24).expect("a range")
}

pub fn arn(rest: &str) -> String {
    format!("arn:aws:elasticloadbalancing:us-east-1:{ACCOUNT}:{rest}")
}

fn row<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> T {
    serde_json::from_value(value).expect("a row")
}

/// Hosts, subnets, a service of Cloud Map, an alarm, and what the kind of service needs of load balancers.
pub async fn create_region(tables: &Tables, kind: Kind) {
    for host in ["a", "b"] {
        tables.create(self::host(host)).await.expect("creates");
    }
    let networks = VirtualNetworks::new(tables.clone(), range());
    let (vpc, group) = networks.vpc(&account(), range(), true);
    let mut batch = tables.batch().create(&vpc).create(&group);
    for (id, zone, first) in SUBNETS {
        let cidr = Ipv4Net::new(first, 28).expect("a range");
        batch = batch.create(&Subnet { id: id.into(), ..networks.new_subnet(&vpc, cidr, zone, true) });
    }
    batch.commit().await.expect("writes");
    let url = "http://localhost/check".to_owned();
    tables.create(HookEndpoint { function: FUNCTION.to_owned(), url }).await.expect("creates");
    let discovery = DiscoveryService {
        account: account(),
        id: "srv-1".to_owned(),
        namespace: "ns-1".to_owned(),
        name: "web".to_owned(),
        description: None,
        dns: Some(DnsConfig {
            routing: RoutingPolicy::MultiValue,
            records: vec![DnsRecord { kind: RecordKind::A, ttl: 10 }],
        }),
        is_http_only: false,
        custom_health: Some(CustomHealth::default()),
        attributes: BTreeMap::new(),
        creator_request_id: None,
        owner: None,
        tags: Tags::new(),
        created_at: Timestamp::from_seconds(0),
    };
    tables.create(discovery).await.expect("creates");
    // It goes off within half a minute.
    let alarm: Alarm = row(json!({
        "account": ACCOUNT, "name": ALARM, "actions_enabled": true, "configured_at": 0,
        "watch": {
            "namespace": "shop", "metric": "heat", "dimensions": {}, "statistic": "Average", "period": 10,
            "evaluation_periods": 3, "threshold": 30.0, "comparison": "Greater"
        },
        "state": {"value": "Ok", "reason": "", "updated_at": 0, "transitioned_at": 0}
    }));
    tables.create(alarm).await.expect("creates");
    if kind.is_balanced() {
        create_balancer(tables).await;
    }
}

fn host(id: &str) -> ContainerInstance {
    ContainerInstance {
        account: account(),
        cluster: FARGATE_HOSTS.to_owned(),
        id: id.to_owned(),
        status: InstanceStatus::Active,
        agent_connected: true,
        // For forty tasks.
        cpu: 10_240,
        memory: 20_480,
        agent_version: "1".to_owned(),
        attributes: Vec::new(),
        registered_at: Timestamp::from_seconds(0),
    }
}

async fn create_balancer(tables: &Tables) {
    let balancer: LoadBalancer = row(json!({
        "account": ACCOUNT, "name": "web", "arn": arn("loadbalancer/app/web/0"),
        "dns_name": "web-1.us-east-1.elb.localhost", "kind": "Application", "internet_facing": true, "vpc": "v",
        "zones": [{"zone": "us-east-1a", "subnet": "subnet-1"}], "security_groups": [], "attributes": {}, "tags": [],
        "created_at": 0, "state": "Provisioning"
    }));
    tables.create(balancer).await.expect("creates");
    for name in ["a", "b"] {
        let group: TargetGroup = row(json!({
            "account": ACCOUNT, "name": name, "arn": arn(&format!("targetgroup/{name}/1")), "protocol": "Http",
            "protocol_version": "Http1", "port": 80, "vpc": "v", "tags": [], "created_at": 0,
            "attributes": {"deregistration_delay.timeout_seconds": "20"},
            "health_check": {
                "enabled": true, "protocol": "Http", "port": "traffic-port", "path": "/", "interval": 30, "timeout": 5,
                "healthy_threshold": 5, "unhealthy_threshold": 2, "matcher": "200"
            }
        }));
        tables.create(group).await.expect("creates");
    }
    let forward = |name: &str| {
        let group = json!({"arn": arn(&format!("targetgroup/{name}/1")), "weight": 1});
        json!([{"Forward": {"target_groups": [group], "stickiness": null}}])
    };
    let listener: Listener = row(json!({
        "account": ACCOUNT, "load_balancer": "web", "load_balancer_arn": arn("loadbalancer/app/web/0"), "id": "1",
        "arn": arn("listener/app/web/0/1"), "protocol": "Http", "port": 80, "ssl_policy": null, "alpn_policy": null,
        "certificates": [], "default_rule": "9", "default_actions": forward("a"), "attributes": {}, "tags": [],
        "created_at": 0
    }));
    let rule: Rule = row(json!({
        "account": ACCOUNT, "load_balancer": "web", "listener": "1", "id": "2", "priority": 1, "conditions": [],
        "arn": arn("listener-rule/app/web/0/1/2"), "actions": forward("a"), "tags": [], "created_at": 0
    }));
    // Both groups are used from the beginning, as behind any other rule.
    let other: Rule = row(json!({
        "account": ACCOUNT, "load_balancer": "web", "listener": "1", "id": "3", "priority": 2, "conditions": [],
        "arn": arn("listener-rule/app/web/0/1/3"), "actions": forward("b"), "tags": [], "created_at": 0
    }));
    tables.batch().create(&listener).create(&rule).create(&other).commit().await.expect("writes");
}

pub fn workload(kind: Kind, revision: u32, is_found: bool) -> Workload {
    let advanced = AlternateTargets {
        target_group_arn: arn("targetgroup/b/1"),
        production_rule: arn("listener-rule/app/web/0/1/2"),
        test_rule: Some(arn("listener-rule/app/web/0/1/9")),
        role_arn: String::new(),
    };
    let balancer = ServiceLoadBalancer {
        target_group_arn: arn("targetgroup/a/1"),
        container_name: "main".to_owned(),
        container_port: 80,
        advanced: (kind == Kind::BalancedShifting).then_some(advanced),
    };
    let registry = ServiceRegistry {
        service: "srv-1".to_owned(),
        arn: String::new(),
        container_name: None,
        container_port: None,
        port: None,
    };
    Workload {
        family: "web".to_owned(),
        revision,
        strategy: Vec::new(),
        platform_version: "LATEST".to_owned(),
        subnets: SUBNETS.iter().map(|(id, ..)| (*id).to_owned()).collect(),
        security_groups: Vec::new(),
        assign_public_ip: false,
        load_balancers: if kind.is_balanced() { vec![balancer] } else { Vec::new() },
        volumes: Vec::new(),
        registries: if is_found { vec![registry] } else { Vec::new() },
        connect: None,
    }
}

pub fn definition(revision: u32, is_checked: bool, now: Timestamp) -> TaskDefinition {
    let check = HealthCheck {
        command: vec!["CMD".to_owned(), "true".to_owned()],
        interval: 5,
        timeout: 1,
        retries: 1,
        start_period: 0,
    };
    TaskDefinition {
        account: account(),
        family: "web".to_owned(),
        revision,
        status: DefinitionStatus::Active,
        network_mode: "awsvpc".to_owned(),
        requires_compatibilities: vec!["FARGATE".to_owned()],
        cpu: 256,
        memory: 512,
        task_role_arn: None,
        execution_role_arn: None,
        containers: vec![ContainerDefinition {
            name: "main".to_owned(),
            image: "busybox".to_owned(),
            essential: true,
            health_check: is_checked.then_some(check),
            ..ContainerDefinition::default()
        }],
        volumes: Vec::new(),
        volume_kinds: BTreeMap::new(),
        pid_mode: None,
        fault_injection: false,
        ephemeral_storage: None,
        runtime_platform: None,
        tags: Vec::new(),
        registered_at: now,
        registered_by: String::new(),
        deregistered_at: None,
    }
}

pub fn service(
    controller: Controller,
    desired: u32,
    configuration: DeploymentConfiguration,
    now: Timestamp,
) -> Service {
    Service {
        account: account(),
        cluster: "default".to_owned(),
        name: "web".to_owned(),
        status: ServiceStatus::Active,
        desired_count: desired,
        deployment_configuration: configuration,
        deployments: Vec::new(),
        last_completed: None,
        stop_requested: None,
        lifecycle: None,
        controller,
        express: false,
        steady: false,
        notices: Vec::new(),
        propagate_tags: PropagateTags::None,
        managed_tags: false,
        execute_command: false,
        health_check_grace_period: None,
        zone_rebalancing: true,
        client_token: None,
        tags: Vec::new(),
        created_by: String::new(),
        created_at: now,
        deleted_at: None,
    }
}
