//! Express services from the first step to the last, with every step interrupted and every call refused once.

use super::observe::PORT;
use super::*;
use environment::Environment;
use identifiers::AccountId;
use parking_lot::Mutex;
use resources::ec2::{Peer, PortRange, Protocol as Traffic, SecurityGroup, SecurityGroupRule};
use resources::ecs::{
    CompletedDeployment, Controller, DeploymentConfiguration, ExpressConfiguration, ExpressGateway,
    ExpressScaling, PropagateTags, ServiceDeployment, ServiceRevision, ServiceStatus, TaskDefinition,
};
use resources::elb::{
    Action, Condition, FixedResponse, Forward, HealthCheck, Listener, ListenerCertificate, LoadBalancer,
    LoadBalancerKind, LoadBalancerState, Protocol, Rule, TargetGroup, TargetType, WeightedTargetGroup,
};
use resources::iam::ServerCertificate;
use resources::logs::LogGroup;
use std::collections::{BTreeMap, HashSet};
use store::MemoryStore;

const ACCOUNT: &str = "123456789012";
const ROLE: &str = "arn:aws:iam::123456789012:role/infrastructure";

fn account() -> AccountId {
    ACCOUNT.parse().expect("an account")
}

/// A region that does what calls say, and refuses each of them the first time.
struct Region {
    tables: Tables,
    refused: Mutex<HashSet<String>>,
    calls: Mutex<Vec<&'static str>>,
    refuses: bool,
}

fn parameters(call: &Call) -> BTreeMap<String, String> {
    match &call.body {
        Body::Query(pairs) => pairs.iter().cloned().collect(),
        Body::Json(_, value) => {
            BTreeMap::from([("Name".to_owned(), value["logGroupName"].as_str().expect("a name").to_owned())])
        }
    }
}

impl Region {
    async fn only<T: Stored>(&self, keep: impl Fn(&T) -> bool) -> store::Versioned<T> {
        let all = self.tables.list_all::<T>("").await.expect("lists");
        all.into_iter().find(|row| keep(row)).expect("is there")
    }

    async fn add<T: Stored>(&self, row: T) {
        self.tables.create(row).await.expect("creates");
    }

    async fn remove<T: Stored>(&self, keep: impl Fn(&T) -> bool) {
        let row = self.only(keep).await;
        self.tables.delete(&row).await.expect("deletes");
    }

    #[allow(clippy::too_many_lines, reason = "one arm for each operation")]
    async fn act(&self, call: &Call) {
        let p = parameters(call);
        let get = |name: &str| p.get(name).cloned().unwrap_or_default();
        let environment = self.tables.environment();
        let (id, created_at) = (environment.random_hex(16), environment.now());
        let arn = |kind: &str| format!("arn:aws:elasticloadbalancing:us-east-1:{ACCOUNT}:{kind}");
        let tags = Vec::new();
        let weights = || {
            let forward = "Actions.member.1.ForwardConfig.TargetGroups.member";
            let group = |index: usize| WeightedTargetGroup {
                arn: get(&format!("{forward}.{index}.TargetGroupArn")),
                weight: get(&format!("{forward}.{index}.Weight")).parse().expect("a weight"),
            };
            vec![Action::Forward(Forward { target_groups: vec![group(1), group(2)], stickiness: None })]
        };
        match call.operation {
            "CreateLogGroup" => {
                let name = get("Name");
                let tags = BTreeMap::new();
                let (account, id) = (ACCOUNT.to_owned(), name.clone());
                self.add(LogGroup {
                    account,
                    name,
                    id,
                    created_at,
                    retention_in_days: None,
                    tags,
                    stored_bytes: 0,
                })
                .await;
            }
            "CreateSecurityGroup" => {
                self.add(SecurityGroup {
                    account: account(),
                    id: format!("sg-{id}"),
                    vpc: get("VpcId"),
                    name: get("GroupName"),
                    description: get("GroupDescription"),
                    rules: Vec::new(),
                    closing: false,
                    created_at,
                })
                .await;
            }
            "AuthorizeSecurityGroupIngress" => {
                let row = self.only::<SecurityGroup>(|row| row.id == get("GroupId")).await;
                let port = get("IpPermissions.1.FromPort").parse().expect("a port");
                let peer = match p.get("IpPermissions.1.Groups.1.GroupId") {
                    Some(group) => Peer::Group(group.clone()),
                    None => Peer::Range(get("IpPermissions.1.IpRanges.1.CidrIp").parse().expect("a range")),
                };
                let mut new = SecurityGroup::clone(&row);
                new.rules.push(SecurityGroupRule {
                    id: format!("sgr-{id}"),
                    egress: false,
                    protocol: Traffic::Tcp(PortRange { from: port, to: port }),
                    peer,
                    description: None,
                });
                self.tables.replace(&row, new).await.expect("replaces");
            }
            "RevokeSecurityGroupIngress" => {
                let row = self.only::<SecurityGroup>(|row| row.id == get("GroupId")).await;
                let mut new = SecurityGroup::clone(&row);
                new.rules.retain(|rule| rule.id != get("SecurityGroupRuleId.1"));
                self.tables.replace(&row, new).await.expect("replaces");
            }
            "DeleteSecurityGroup" => self.remove::<SecurityGroup>(|row| row.id == get("GroupId")).await,
            "CreateLoadBalancer" => {
                let name = get("Name");
                self.add(LoadBalancer {
                    account: account(),
                    arn: arn(&format!("loadbalancer/app/{name}/{id}")),
                    dns_name: format!("{name}-{id}.us-east-1.elb.localhost"),
                    name,
                    kind: LoadBalancerKind::Application,
                    internet_facing: true,
                    vpc: "vpc-1".to_owned(),
                    zones: Vec::new(),
                    security_groups: vec![get("SecurityGroups.member.1")],
                    attributes: BTreeMap::new(),
                    tags,
                    created_at,
                    state: LoadBalancerState::Active,
                })
                .await;
            }
            "CreateListener" => {
                let own = self.only::<LoadBalancer>(|row| row.arn == get("LoadBalancerArn")).await;
                self.add(Listener {
                    account: account(),
                    load_balancer: own.name.clone(),
                    load_balancer_arn: own.arn.clone(),
                    arn: format!("{}/{id}", own.arn.replacen(":loadbalancer/", ":listener/", 1)),
                    id,
                    protocol: Protocol::Https,
                    port: get("Port").parse().expect("a port"),
                    ssl_policy: None,
                    alpn_policy: None,
                    certificates: vec![ListenerCertificate {
                        arn: get("Certificates.member.1.CertificateArn"),
                    }],
                    default_rule: "0".repeat(16),
                    default_actions: vec![Action::FixedResponse(FixedResponse {
                        status: 404,
                        content_type: None,
                        body: None,
                    })],
                    default_rule_tags: Vec::new(),
                    attributes: BTreeMap::new(),
                    tags,
                    created_at,
                })
                .await;
            }
            "AddListenerCertificates" | "RemoveListenerCertificates" => {
                let row = self.only::<Listener>(|row| row.arn == get("ListenerArn")).await;
                let mut new = Listener::clone(&row);
                let certificate = get("Certificates.member.1.CertificateArn");
                new.certificates.retain(|own| own.arn != certificate);
                if call.operation.starts_with("Add") {
                    new.certificates.push(ListenerCertificate { arn: certificate });
                }
                self.tables.replace(&row, new).await.expect("replaces");
            }
            "CreateTargetGroup" => {
                let name = get("Name");
                self.add(TargetGroup {
                    account: account(),
                    arn: arn(&format!("targetgroup/{name}/{id}")),
                    name,
                    protocol: Protocol::Http,
                    protocol_version: None,
                    port: 80,
                    vpc: get("VpcId"),
                    target_type: TargetType::Ip,
                    health_check: HealthCheck {
                        enabled: true,
                        protocol: Protocol::Http,
                        port: "traffic-port".to_owned(),
                        path: Some(get("HealthCheckPath")),
                        interval: 30,
                        timeout: 5,
                        healthy_threshold: 5,
                        unhealthy_threshold: 2,
                        matcher: None,
                    },
                    attributes: BTreeMap::new(),
                    tags,
                    created_at,
                })
                .await;
            }
            "CreateRule" => {
                let own = self.only::<Listener>(|row| row.arn == get("ListenerArn")).await;
                self.add(Rule {
                    account: account(),
                    load_balancer: own.load_balancer.clone(),
                    listener: own.id.clone(),
                    arn: own.rule_arn(&id),
                    id,
                    priority: get("Priority").parse().expect("a priority"),
                    conditions: vec![Condition::HostHeader(vec![get(
                        "Conditions.member.1.HostHeaderConfig.Values.member.1",
                    )])],
                    actions: weights(),
                    tags,
                    created_at,
                })
                .await;
            }
            "ModifyRule" => {
                let row = self.only::<Rule>(|row| row.arn == get("RuleArn")).await;
                let new = Rule { actions: weights(), ..Rule::clone(&row) };
                self.tables.replace(&row, new).await.expect("replaces");
            }
            "DeleteRule" => self.remove::<Rule>(|row| row.arn == get("RuleArn")).await,
            "DeleteTargetGroup" => self.remove::<TargetGroup>(|row| row.arn == get("TargetGroupArn")).await,
            "DeleteListener" => self.remove::<Listener>(|row| row.arn == get("ListenerArn")).await,
            "DeleteLoadBalancer" => {
                self.remove::<LoadBalancer>(|row| row.arn == get("LoadBalancerArn")).await;
            }
            other => panic!("{other} is never called"),
        }
    }
}

#[async_trait]
impl Infrastructure for Region {
    async fn call(&self, acting: &Acting, call: &Call) -> Result<(), Refusal> {
        assert_eq!(acting.role, ROLE);
        if self.refuses && self.refused.lock().insert(format!("{call:?}")) {
            return Err(Refusal(format!("AccessDenied: not {}", call.operation)));
        }
        self.calls.lock().push(call.operation);
        self.act(call).await;
        Ok(())
    }

    async fn may(
        &self,
        _acting: &Acting,
        action: &str,
        resource: &str,
        tags: &[(&str, &str)],
    ) -> Result<(), Refusal> {
        assert_eq!(resource, "arn:aws:acm:us-east-1:123456789012:certificate/*");
        assert_eq!(tags, [("AmazonECSManaged", "true")]);
        let is_new = self.refuses && self.refused.lock().insert(action.to_owned());
        if is_new { Err(Refusal(format!("AccessDenied: not {action}"))) } else { Ok(()) }
    }

    fn certificate(&self, name: &str, now: Timestamp) -> Result<NewCertificate, Refusal> {
        Ok(NewCertificate {
            body: name.to_owned(),
            private_key: "key".to_owned().into(),
            expires_at: now + Duration::from_secs(395 * 24 * 3600),
        })
    }
}

struct World {
    tables: Tables,
    region: Arc<Region>,
    controller: ExpressController,
}

fn configuration(revision: u32, port: u16, path: &str) -> ExpressConfiguration {
    ExpressConfiguration {
        service_revision: format!("{revision:019}"),
        family: "default-web".to_owned(),
        revision,
        port,
        health_check_path: path.to_owned(),
        subnets: vec!["subnet-1".to_owned()],
        security_groups: vec!["sg-own".to_owned()],
        scaling: ExpressScaling { count: 1, metric: "AVERAGE_CPU".to_owned(), target: 60 },
        created_at: Timestamp::default(),
    }
}

impl World {
    fn new(refuses: bool) -> Self {
        let environment = Environment::real();
        let tables = Tables::new(MemoryStore::new(environment.clone()), environment.clone());
        let region = Arc::new(Region {
            tables: tables.clone(),
            refused: Mutex::default(),
            calls: Mutex::default(),
            refuses,
        });
        let keys = KeyRing::in_memory(environment);
        let name = "us-east-1".parse().expect("a region");
        let controller = ExpressController::new(tables.clone(), keys, name, region.clone(), Queue::new());
        Self { tables, region, controller }
    }

    async fn create(&self, name: &str) {
        let now = self.tables.environment().now();
        let service = Service {
            account: account(),
            cluster: "default".to_owned(),
            name: name.to_owned(),
            status: ServiceStatus::Active,
            desired_count: 1,
            deployment_configuration: DeploymentConfiguration::default(),
            deployments: Vec::new(),
            last_completed: None,
            stop_requested: None,
            lifecycle: None,
            controller: Controller::Ecs,
            express: true,
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
        };
        let express = ExpressService {
            account: account(),
            cluster: "default".to_owned(),
            name: name.to_owned(),
            service_created_at: now,
            id: "0123abcd".to_owned(),
            infrastructure_role: ROLE.to_owned(),
            host: format!("{name}-0123abcd.ecs.us-east-1.elb.localhost"),
            public: true,
            vpc: "vpc-1".to_owned(),
            subnets: vec!["subnet-1".to_owned()],
            log_group: Some(format!("/aws/ecs/default/{name}-0123abcd")),
            gateway: None,
            security_group: format!("default-{name}-0123abcd"),
            target_groups: (format!("{name}-a"), format!("{name}-b")),
            old_target_groups: Vec::new(),
            configurations: vec![configuration(1, 80, "/ping")],
            is_pending: true,
            trouble: None,
            is_gone: false,
            updated_at: now,
        };
        for revision in 1..=2 {
            self.define(revision).await;
        }
        self.tables.batch().create(&service).create(&express).commit().await.expect("writes");
    }

    async fn define(&self, revision: u32) {
        let definition = TaskDefinition {
            account: account(),
            family: "default-web".to_owned(),
            revision,
            status: resources::ecs::DefinitionStatus::Active,
            network_mode: "awsvpc".to_owned(),
            requires_compatibilities: Vec::new(),
            cpu: 256,
            memory: 512,
            task_role_arn: None,
            execution_role_arn: None,
            containers: Vec::new(),
            volumes: Vec::new(),
            volume_kinds: BTreeMap::new(),
            pid_mode: None,
            fault_injection: false,
            ephemeral_storage: None,
            runtime_platform: None,
            tags: Vec::new(),
            registered_at: Timestamp::default(),
            registered_by: String::new(),
            deregistered_at: None,
        };
        let key = definition.key();
        if self.tables.get::<TaskDefinition>(&key).await.expect("reads").is_none() {
            self.region.add(definition).await;
        }
    }

    fn key(name: &str) -> String {
        format!("{ACCOUNT}/default/{name}")
    }

    /// Steps until there is nothing to do. Answers which troubles were shown.
    async fn settle(&self, name: &str) -> Vec<String> {
        let mut troubles = Vec::new();
        for _ in 0..200 {
            let next = self.controller.reconcile(&Self::key(name)).await.expect("steps");
            if let Some(express) = self.tables.get::<ExpressService>(&Self::key(name)).await.expect("reads")
                && let Some((text, _)) = &express.trouble
                && troubles.last() != Some(text)
            {
                troubles.push(text.clone());
            }
            if next == Next::Settled {
                return troubles;
            }
        }
        panic!("never settles: {:?}", self.region.calls.lock());
    }

    async fn service(&self, name: &str) -> store::Versioned<Service> {
        self.tables.get(&Self::key(name)).await.expect("reads").expect("a service")
    }

    async fn express(&self, name: &str) -> store::Versioned<ExpressService> {
        self.tables.get(&Self::key(name)).await.expect("reads").expect("an express service")
    }

    async fn change(&self, name: &str, change: impl FnOnce(&mut Service)) {
        let old = self.service(name).await;
        let mut new = Service::clone(&old);
        change(&mut new);
        self.tables.replace(&old, new).await.expect("replaces");
    }

    /// The newest deployment is completed.
    async fn complete(&self, name: &str, alternate: bool) {
        self.change(name, |service| {
            service.deployments.truncate(1);
            let own = &mut service.deployments[0];
            own.alternate = alternate;
            own.rollout = resources::ecs::RolloutState::Completed;
            service.last_completed = Some(CompletedDeployment {
                deployment: own.id.clone(),
                service_revision: own.service_revision.clone(),
                workload: own.workload.clone(),
            });
        })
        .await;
    }

    async fn count<T: Stored>(&self) -> usize {
        self.tables.list_all::<T>("").await.expect("lists").len()
    }

    async fn weights(&self) -> Vec<(String, u32)> {
        let rule = self.region.only::<Rule>(|_| true).await;
        let Action::Forward(forward) = &rule.actions[0] else { panic!("{rule:?}") };
        let name = |arn: &str| arn.split('/').nth(1).unwrap_or_default().to_owned();
        forward.target_groups.iter().map(|group| (name(&group.arn), group.weight)).collect()
    }
}

#[tokio::test]
async fn everything_is_made_once_and_then_the_deployment_begins() {
    let world = World::new(true);
    world.create("web").await;
    let troubles = world.settle("web").await;
    assert_eq!(troubles.first().map(String::as_str), Some("AccessDenied: not CreateLogGroup"));
    assert_eq!(
        *world.region.calls.lock(),
        [
            "CreateLogGroup",
            "CreateSecurityGroup",
            "AuthorizeSecurityGroupIngress",
            "CreateLoadBalancer",
            "CreateListener",
            "AddListenerCertificates",
            "CreateSecurityGroup",
            "AuthorizeSecurityGroupIngress",
            "CreateTargetGroup",
            "CreateTargetGroup",
            "CreateRule",
        ]
    );
    let (service, express) = (world.service("web").await, world.express("web").await);
    assert!(!express.is_pending && express.trouble.is_none());
    let primary = service.primary().expect("a deployment");
    assert_eq!(primary.service_revision, "0000000000000000001");
    let key = format!("{}/0000000000000000001", World::key("web"));
    assert!(world.tables.get::<ServiceRevision>(&key).await.expect("reads").is_some());
    let record = world.region.only::<ServiceDeployment>(|_| true).await;
    assert_eq!(record.target, "0000000000000000001");
    let own = &primary.workload.load_balancers[0];
    assert!(own.target_group_arn.contains("targetgroup/web-a/"), "{own:?}");
    assert_eq!((own.container_name.as_str(), own.container_port), ("Main", 80));
    assert_eq!(primary.workload.security_groups.len(), 2);
    assert_eq!(world.weights().await, [("web-a".to_owned(), 100), ("web-b".to_owned(), 0)]);
    let certificate = world.region.only::<ServerCertificate>(|row| row.name == "web-0123abcd").await;
    assert_eq!(certificate.body, express.host);
    let listener = world.region.only::<Listener>(|_| true).await;
    assert_eq!((listener.port, listener.certificates.len()), (PORT, 2));
    assert_eq!(listener.certificates[1].arn, certificate.arn());
}

#[tokio::test]
async fn another_path_and_port_come_with_a_target_group_of_their_own() {
    let world = World::new(false);
    world.create("web").await;
    world.settle("web").await;
    world.complete("web", false).await;
    world.region.calls.lock().clear();
    let old = world.express("web").await;
    let mut new = ExpressService::clone(&old);
    new.configurations.insert(0, configuration(2, 8080, "/health"));
    new.is_pending = true;
    world.tables.replace(&old, new).await.expect("replaces");
    world.settle("web").await;
    // The group of the side that does not serve is another now; the one that serves is as it was.
    assert_eq!(
        *world.region.calls.lock(),
        ["AuthorizeSecurityGroupIngress", "CreateTargetGroup", "ModifyRule"]
    );
    let (service, express) = (world.service("web").await, world.express("web").await);
    let (main, alternate) = &express.target_groups;
    assert_eq!((main.as_str(), &express.old_target_groups[..]), ("web-a", &["web-b".to_owned()][..]));
    assert!(alternate.starts_with("ecs-gateway-tg-"), "{alternate}");
    assert_eq!(world.weights().await, [("web-a".to_owned(), 100), (alternate.clone(), 0)]);
    let group = world.region.only::<TargetGroup>(|row| row.name == *alternate).await;
    assert_eq!(group.health_check.path.as_deref(), Some("/health"));
    assert_eq!(service.deployments.len(), 2);
    assert_eq!(service.deployments[0].workload.load_balancers[0].container_port, 8080);
    // When the old deployment is gone nobody needs its other group and its port.
    world.complete("web", true).await;
    world.settle("web").await;
    assert_eq!(world.region.calls.lock()[3..], ["DeleteTargetGroup", "RevokeSecurityGroupIngress"]);
    assert_eq!(world.express("web").await.old_target_groups, Vec::<String>::new());
    let tasks = world.region.only::<SecurityGroup>(|row| row.name == express.security_group).await;
    assert_eq!(tasks.rules.len(), 1);
}

#[tokio::test]
async fn services_share_a_load_balancer_that_goes_with_the_last_of_them() {
    let world = World::new(true);
    for name in ["web", "api"] {
        world.create(name).await;
        world.settle(name).await;
    }
    assert_eq!((world.count::<LoadBalancer>().await, world.count::<Rule>().await), (1, 2));
    let gateway = world.region.only::<ExpressGateway>(|_| true).await;
    assert_eq!(gateway.services.len(), 2);
    for (name, left) in [("web", 1), ("api", 0)] {
        world.change(name, |service| service.status = ServiceStatus::Draining).await;
        world.settle(name).await;
        assert!(!world.express(name).await.is_gone, "tasks are left");
        world.change(name, |service| service.status = ServiceStatus::Inactive).await;
        world.settle(name).await;
        assert!(world.express(name).await.is_gone);
        let counts = (world.count::<LoadBalancer>().await, world.count::<Rule>().await);
        assert_eq!(counts, (left, left));
        assert_eq!(world.count::<TargetGroup>().await, 2 * left);
        assert_eq!(world.count::<SecurityGroup>().await, 2 * left);
        assert_eq!(world.count::<ServerCertificate>().await, 2 * left);
    }
    assert_eq!((world.count::<Listener>().await, world.count::<ExpressGateway>().await), (0, 0));
    assert_eq!(world.count::<LogGroup>().await, 2, "what was logged stays");
    let web = world.service("web").await;
    world.tables.delete(&web).await.expect("deletes");
    world.settle("web").await;
    assert_eq!(world.count::<ExpressService>().await, 1);
}
