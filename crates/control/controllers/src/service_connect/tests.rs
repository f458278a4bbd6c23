//! What proxies are told, over a store in memory and proxies that only listen.

use super::{Names, Proxies, ProxyError, ServiceConnectController};
use crate::discovery::tests::{definition, service};
use crate::feed::Seen;
use blob_store::BlobStore;
use environment::{Environment, Timestamp};
use load_balancing::{Action, Condition, Configuration, Kind, ProtocolVersion, Report};
use metric_store::Metrics;
use parking_lot::Mutex;
use reconcile::{Queue, Reconciler};
use resources::Stored;
use resources::discovery::{DiscoveryService, Instance, Namespace, NamespaceKind, ServiceName, Tags};
use resources::ecs::{
    ConnectEndpoint, ConnectIngress, ConnectProtocol, Launch, Lifecycle, LifecycleStage, NetworkInterface,
    Service, ServiceTask, Task, TaskConnect, TaskEvent, TaskMark,
};
use serde_json::json;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use store::{MemoryStore, Tables};
use tokio::sync::watch;

/// Proxies that remember what they were told.
#[derive(Clone)]
struct Listening {
    numbers: Arc<Mutex<BTreeMap<String, u64>>>,
    told: Arc<Mutex<Vec<Configuration>>>,
    changes: watch::Sender<u64>,
}

#[async_trait::async_trait]
impl Proxies for Listening {
    async fn tasks(&self) -> BTreeMap<String, u64> {
        self.numbers.lock().clone()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    async fn apply(&self, _task: &str, configuration: &Configuration) -> Result<(), ProxyError> {
        self.told.lock().push(configuration.clone());
        Ok(())
    }

    async fn report(&self, _task: &str) -> Result<Option<Report>, ProxyError> {
        Ok(None)
    }
}

fn endpoint(service: &str, dns_name: &str, port: u16, protocol: ConnectProtocol) -> ConnectEndpoint {
    ConnectEndpoint {
        service: service.to_owned(),
        discovery_name: service.to_owned(),
        dns_name: dns_name.to_owned(),
        port,
        protocol,
        idle_timeout: None,
        request_timeout: protocol.is_http().then_some(15),
        cluster: "default".to_owned(),
        offered_by: "back".to_owned(),
    }
}

fn instance(service: &str, last: u8, is_healthy: bool) -> Instance {
    let attributes =
        [("AWS_INSTANCE_IPV4", format!("10.0.0.{last}")), ("AWS_INSTANCE_PORT", "80".to_owned())];
    Instance {
        account: "123456789012".parse().expect("an account"),
        service: service.to_owned(),
        id: last.to_string(),
        attributes: attributes.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        creator_request_id: None,
        is_healthy,
        task: Some(format!("123456789012/default/{last}")),
        registered_at: Timestamp::from_seconds(0),
    }
}

struct World {
    tables: Tables,
    proxies: Listening,
    controller: ServiceConnectController<Listening>,
    _directory: tempfile::TempDir,
}

async fn world() -> World {
    let (environment, _) = Environment::simulated(Timestamp::from_seconds(1_000), 1);
    let tables = Tables::new(MemoryStore::new(environment.clone()), environment.clone());
    let directory = tempfile::tempdir().expect("a directory");
    let blobs = BlobStore::local(directory.path(), environment.clone()).expect("opens");
    let metrics = Metrics::open(blobs, environment).await.expect("opens");
    let (numbers, told) = (Arc::default(), Arc::default());
    let proxies = Listening { numbers, told, changes: watch::Sender::new(0) };
    let controller = ServiceConnectController::new(tables.clone(), metrics, proxies.clone(), Queue::new());
    World { tables, proxies, controller, _directory: directory }
}

impl World {
    async fn task(&self, connect: TaskConnect) -> store::Versioned<Task> {
        let environment = self.tables.environment();
        let launch = Launch {
            cluster: "default".to_owned(),
            id: "f".repeat(32),
            service: Some("front".to_owned()),
            connect: Some(connect),
            ..Launch::default()
        };
        let mut task = Task::launched(&definition(false), launch, environment, environment.now());
        task.network_interface = Some(NetworkInterface {
            id: "eni-1".to_owned(),
            attachment_id: "a".to_owned(),
            mac: "0a:00:00:00:00:01".to_owned(),
            address: Ipv4Addr::new(10, 0, 0, 7),
            gateway: Ipv4Addr::new(10, 0, 0, 1),
            prefix: 16,
            name_server: None,
            subnet_id: "subnet-1".to_owned(),
            zone: "a".to_owned(),
        });
        self.tables.create(task).await.expect("creates")
    }

    async fn reconcile(&self, key: &str) -> usize {
        self.controller.reconcile(&key.to_owned()).await.expect("reconciles");
        self.proxies.told.lock().len()
    }

    fn last(&self) -> Configuration {
        self.proxies.told.lock().last().cloned().expect("was told")
    }
}

#[tokio::test]
async fn a_proxy_is_told_when_something_has_changed() {
    let world = world().await;
    let connect = TaskConnect {
        endpoints: vec![
            endpoint("srv-1", "backend", 8080, ConnectProtocol::Grpc),
            endpoint("srv-2", "backend", 9000, ConnectProtocol::Tcp),
            endpoint("srv-1", "aside", 8080, ConnectProtocol::Http),
        ],
        ingress: vec![ConnectIngress {
            discovery_name: "mine".to_owned(),
            listen: 9100,
            container_port: 81,
            protocol: ConnectProtocol::Http,
            idle_timeout: Some(300),
            request_timeout: Some(15),
        }],
        logs: None,
    };
    let task = world.task(connect).await;
    let key = task.key();
    world.controller.see_task(&Seen::Row(task.clone()));
    assert_eq!(world.reconcile(&key).await, 0, "it has no proxy yet");
    world.proxies.numbers.lock().insert(task.id.clone(), 1);
    for row in [instance("srv-1", 1, true), instance("srv-1", 2, false)] {
        world.tables.create(row).await.expect("creates");
    }
    assert_eq!(world.reconcile(&key).await, 1);
    let told = world.last();
    let places: Vec<String> = told
        .load_balancers
        .iter()
        .map(|own| format!("{:?} {}:{}", own.kind, own.addresses[0], own.listeners[0].port))
        .collect();
    assert_eq!(
        places,
        [
            "Application 127.255.0.2:8080",
            "Network 127.255.0.2:9000",
            "Application 127.255.0.1:8080",
            "Application 10.0.0.7:9100"
        ]
    );
    assert!(told.load_balancers.iter().all(|own| own.http.is_proxy));
    let targets: Vec<Vec<String>> = told
        .target_groups
        .iter()
        .map(|own| own.targets.iter().map(|own| format!("{}:{}", own.address, own.port)).collect())
        .collect();
    assert_eq!(targets[0], ["10.0.0.1:80"], "only those that are healthy");
    assert_eq!((targets[1].len(), targets[3].as_slice()), (0, &["127.0.0.1:81".to_owned()][..]));
    let first = &told.target_groups[0];
    assert_eq!((first.protocol_version, told.load_balancers[1].kind), (ProtocolVersion::Grpc, Kind::Network));
    assert_eq!(first.attributes.request_timeout_seconds, Some(15));
    assert!(first.attributes.outlier_detection.is_some());

    assert_eq!(world.reconcile(&key).await, 1, "nothing has changed");
    world.tables.create(instance("srv-2", 3, true)).await.expect("creates");
    assert_eq!(world.reconcile(&key).await, 2);
    assert!(world.last().revision > told.revision);
    world.proxies.numbers.lock().insert(task.id.clone(), 2);
    assert_eq!(world.reconcile(&key).await, 3, "another proxy knows nothing");
    let mut over = Task::clone(&task);
    over.advance(TaskEvent::StopWanted, Timestamp::from_seconds(2_000));
    world.tables.replace(&task, over).await.expect("replaces");
    assert_eq!(world.reconcile(&key).await, 3);
}

/// A service with deployments `blue`, and `green` on the alternate side, which offers `srv-1` at port 8080.
fn shifting() -> Service {
    let deployment = |id: &str, alternate: bool, test: serde_json::Value| {
        json!({
            "id": id, "service_deployment": "d", "service_revision": "r", "rollout": "InProgress", "rollout_reason": "",
            "failed_tasks": 0, "failed_rounds": 0, "retry_at": null, "created_at": 0, "updated_at": 0,
            "alternate": alternate,
            "workload": {
                "family": "web", "revision": 1, "strategy": [], "platform_version": "LATEST", "subnets": [],
                "security_groups": [], "assign_public_ip": false,
                "connect": {
                    "namespace": "ns-1", "namespace_name": "inside", "given": "inside",
                    "services": [{
                        "port_name": "web", "discovery_name": null, "service": "srv-1", "ingress_port": null,
                        "aliases": [{"dns_name": null, "port": 8080, "test": test}], "idle_timeout": null,
                        "request_timeout": null, "container_port": 80, "protocol": "Http"
                    }]
                }
            }
        })
    };
    let test = json!({"name": "X-Test", "value": "yes"});
    serde_json::from_value(json!({
        "account": "123456789012", "cluster": "default", "name": "back", "status": "Active", "desired_count": 1,
        "deployment_configuration": {
            "minimum_healthy_percent": 100, "maximum_percent": 200, "breaker": false, "rollback": false
        },
        "deployments": [deployment("green", true, test), deployment("blue", false, json!(null))],
        "last_completed": null, "stop_requested": null, "steady": false, "notices": [], "propagate_tags": "None",
        "managed_tags": false, "health_check_grace_period": null, "zone_rebalancing": true, "client_token": null,
        "tags": [], "created_by": "", "created_at": 0
    }))
    .expect("a service")
}

fn lifecycle(production: u32, test: u32) -> Lifecycle {
    Lifecycle {
        green: "green".to_owned(),
        blue: Some("blue".to_owned()),
        stage: LifecycleStage::TestTrafficShift,
        since: Timestamp::from_seconds(0),
        production,
        test,
        going_back: false,
        hooks: vec![],
    }
}

fn ledger(task: &str, deployment: &str) -> ServiceTask {
    ServiceTask {
        account: "123456789012".parse().expect("an account"),
        cluster: "default".to_owned(),
        service: "back".to_owned(),
        task: task.to_owned(),
        deployment: deployment.to_owned(),
        mark: TaskMark::Healthy,
        created_at: Timestamp::from_seconds(0),
    }
}

/// The weights of an action: whether a group is the alternate one, and its weight.
type Shares = Vec<(bool, u32)>;

fn shares(action: &Action) -> Shares {
    let Action::Forward(forward) = action else { panic!("{action:?}") };
    forward.target_groups.iter().map(|own| (own.arn.ends_with("/alternate"), own.weight)).collect()
}

impl World {
    /// What a listener of the last configuration does: with production traffic, and with test traffic.
    fn traffic(&self, index: usize) -> (Shares, Shares) {
        let told = self.last();
        let listener = &told.load_balancers[index].listeners[0];
        let test = listener.rules.iter().flat_map(|rule| shares(&rule.action)).collect();
        (shares(&listener.default_action), test)
    }
}

#[tokio::test]
async fn traffic_is_shared_out_as_the_deployment_has_it() {
    let world = world().await;
    let tables = &world.tables;
    let connect = TaskConnect {
        endpoints: vec![
            endpoint("srv-1", "web.inside", 8080, ConnectProtocol::Http),
            endpoint("srv-1", "web.inside", 8081, ConnectProtocol::Tcp),
        ],
        ingress: vec![],
        logs: None,
    };
    let task = world.task(connect).await;
    let key = task.key();
    world.controller.see_task(&Seen::Row(task.clone()));
    world.proxies.numbers.lock().insert(task.id.clone(), 1);
    let mut row = tables.create(shifting()).await.expect("creates");
    let green = tables.create(instance("srv-1", 2, false)).await.expect("creates");
    tables.create(instance("srv-1", 1, true)).await.expect("creates");
    for row in [ledger("1", "blue"), ledger("2", "green")] {
        tables.create(row).await.expect("creates");
    }
    let mut shift = async |production, test| {
        let new = Service { lifecycle: Some(lifecycle(production, test)), ..Service::clone(&row) };
        row = tables.replace(&row, new).await.expect("replaces");
        world.reconcile(&key).await
    };
    shift(1_000, 1_000).await;
    assert_eq!(world.traffic(0), (vec![(false, 1)], vec![]), "green has no healthy task yet");
    let healthy = resources::discovery::Instance { is_healthy: true, ..(*green.value).clone() };
    tables.replace(&green, healthy).await.expect("replaces");
    shift(0, 0).await;
    assert_eq!(world.traffic(0), (vec![(false, 100)], vec![]));
    let told = world.last();
    let targets: Vec<_> = told.target_groups[..2].iter().map(|own| own.targets[0].id.as_str()).collect();
    assert_eq!(targets, ["1", "2"], "each on its side");
    shift(0, 1_000).await;
    assert_eq!(world.traffic(0), (vec![(false, 100)], vec![(true, 100)]));
    assert_eq!(world.traffic(1), (vec![(false, 100)], vec![]), "what is no HTTP has no header");
    let rule = world.last().load_balancers[0].listeners[0].rules[0].conditions.clone();
    let (name, value) = ("X-Test".to_owned(), Some("yes".to_owned()));
    assert_eq!(rule, [Condition::HeaderIs { name, value }], "as the revision that comes has it");
    shift(125, 1_000).await;
    assert_eq!(world.traffic(1), (vec![(false, 875), (true, 125)], vec![]));
    shift(1_000, 1_000).await;
    assert_eq!(world.traffic(0), (vec![(true, 100)], vec![]));
    let count = world.proxies.told.lock().len();
    assert_eq!(shift(1_000, 1_000).await, count, "nothing has changed");
}

#[tokio::test]
async fn a_name_goes_with_its_service_and_its_last_instance() {
    let world = world().await;
    let namespace = Namespace {
        account: "123456789012".parse().expect("an account"),
        id: "ns-1".to_owned(),
        name: "inside".to_owned(),
        kind: NamespaceKind::Http,
        description: None,
        creator_request_id: None,
        operation: String::new(),
        tags: Tags::new(),
        created_at: Timestamp::from_seconds(0),
    };
    let owner = "123456789012/default/gone".to_owned();
    let own = DiscoveryService { owner: Some(owner.clone()), dns: None, ..service("srv-1", true) };
    let tables = &world.tables;
    let batch = tables.batch().create(&namespace).create(&own).create(&own.name_row(&namespace));
    batch.commit().await.expect("writes");
    let instance = tables.create(instance("srv-1", 1, true)).await.expect("creates");
    let names = Names::new(tables.clone(), Queue::new());
    names.see_name(&Seen::Row(tables.get(&own.key()).await.expect("reads").expect("is there")));
    names.reconcile(&owner).await.expect("reconciles");
    assert_eq!(tables.list_all::<DiscoveryService>("").await.expect("lists").len(), 1, "it has an instance");
    tables.delete(&instance).await.expect("deletes");
    names.reconcile(&owner).await.expect("reconciles");
    assert!(tables.list_all::<DiscoveryService>("").await.expect("lists").is_empty());
    assert!(tables.list_all::<ServiceName>("").await.expect("lists").is_empty());
}
