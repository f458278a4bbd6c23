//! Zones over a store in memory.

use super::*;
use environment::Timestamp;
use resources::discovery::{CustomHealth, DnsConfig, DnsRecord, Tags};
use resources::ec2::InterfaceUse;
use std::collections::{BTreeMap, BTreeSet};
use store::MemoryStore;

const ACCOUNT: &str = "123456789012";
const OTHER: &str = "999999999999";
const ASKER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 7);
const HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const A: Kind = Kind::Of(RecordKind::A);

fn namespace(account: &str, id: &str, name: &str) -> Namespace {
    Namespace {
        account: account.parse().expect("an account"),
        id: id.to_owned(),
        name: name.to_owned(),
        kind: NamespaceKind::PrivateDns {
            vpc: "vpc-1".to_owned(),
            hosted_zone: "Z1".to_owned(),
            soa_ttl: 15,
        },
        description: None,
        creator_request_id: None,
        operation: String::new(),
        tags: Tags::new(),
        created_at: Timestamp::from_seconds(0),
    }
}

fn service(
    id: &str,
    namespace: &str,
    name: &str,
    records: &[RecordKind],
    routing: RoutingPolicy,
) -> DiscoveryService {
    let records = records.iter().map(|kind| DnsRecord { kind: *kind, ttl: 10 }).collect();
    DiscoveryService {
        account: ACCOUNT.parse().expect("an account"),
        id: id.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        description: None,
        dns: Some(DnsConfig { routing, records }),
        is_http_only: false,
        custom_health: Some(CustomHealth::default()),
        attributes: BTreeMap::new(),
        creator_request_id: None,
        owner: None,
        tags: Tags::new(),
        created_at: Timestamp::from_seconds(0),
    }
}

fn instance(service: &str, id: &str, last: u8) -> Instance {
    let attributes =
        [("AWS_INSTANCE_IPV4", format!("10.0.1.{last}")), ("AWS_INSTANCE_PORT", "80".to_owned())];
    Instance {
        account: ACCOUNT.parse().expect("an account"),
        service: service.to_owned(),
        id: id.to_owned(),
        attributes: attributes.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        creator_request_id: None,
        is_healthy: true,
        task: None,
        registered_at: Timestamp::from_seconds(0),
    }
}

fn interface(id: &str, vpc: &str, address: Ipv4Addr) -> NetworkInterface {
    NetworkInterface {
        account: ACCOUNT.parse().expect("an account"),
        id: id.to_owned(),
        subnet: "subnet-1".to_owned(),
        vpc: vpc.to_owned(),
        zone: "a".to_owned(),
        address,
        mac: String::new(),
        groups: Vec::new(),
        description: String::new(),
        used_by: InterfaceUse::Nobody,
        client_token: None,
        created_at: Timestamp::from_seconds(0),
    }
}

struct World {
    tables: Tables,
    zones: Zones,
    stop: CancellationToken,
    following: tokio::task::JoinHandle<()>,
}

impl World {
    /// A task of the account at [`ASKER`], a namespace `corp.local`, and what is given.
    async fn new(services: Vec<DiscoveryService>, instances: Vec<Instance>) -> Self {
        let environment = Environment::real();
        let tables = Tables::new(MemoryStore::new(environment.clone()), environment);
        tables.create(namespace(ACCOUNT, "ns-1", "Corp.local")).await.expect("creates");
        tables.create(interface("eni-1", "vpc-1", ASKER)).await.expect("creates");
        for service in services {
            tables.create(service).await.expect("creates");
        }
        for instance in instances {
            tables.create(instance).await.expect("creates");
        }
        let stop = CancellationToken::new();
        let (zones, following) = Zones::open(tables.clone(), stop.clone()).await.expect("opens");
        Self { tables, zones, stop, following: tokio::spawn(following) }
    }

    async fn until(&self, name: &str, what: impl Fn(Option<Answer>) -> bool) {
        let wait = async {
            while !what(self.zones.answer(ASKER, name, A)) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.expect("in time");
    }

    async fn close(self) {
        self.stop.cancel();
        self.following.await.expect("ends");
    }
}

fn v4(last: u8) -> Place {
    Place::V4(Ipv4Addr::new(10, 0, 1, last))
}

#[expect(clippy::unnecessary_wraps, reason = "compared with answers that may be none")]
fn nothing() -> Option<Answer> {
    Some(Answer::Nothing("corp.local".to_owned(), 15))
}

#[expect(clippy::unnecessary_wraps, reason = "compared with answers that may be none")]
fn no_name() -> Option<Answer> {
    Some(Answer::NoName("corp.local".to_owned(), 15))
}

#[tokio::test]
async fn names_come_and_go_with_their_instances() {
    let worker = service("srv-1", "ns-1", "Worker", &[RecordKind::A], RoutingPolicy::MultiValue);
    let world = World::new(vec![worker], vec![]).await;
    let answer = |name, kind| world.zones.answer(ASKER, name, kind);
    assert_eq!(answer("worker.corp.local", A), no_name(), "no instance, no record, no name");
    assert_eq!(answer("corp.local", A), nothing(), "the zone itself is there");
    assert_eq!(answer("corp.local.example", A), None);
    assert_eq!(answer("local", A), None);
    let row = world.tables.create(instance("srv-1", "one", 1)).await.expect("creates");
    world.until("worker.corp.local", |answer| matches!(answer, Some(Answer::Places(_)))).await;
    assert_eq!(answer("worker.corp.local", A), Some(Answer::Places(vec![(10, v4(1))])));
    assert_eq!(answer("worker.corp.local", Kind::Any), Some(Answer::Places(vec![(10, v4(1))])));
    for kind in [Kind::Of(RecordKind::Aaaa), Kind::Of(RecordKind::Srv), Kind::Other] {
        assert_eq!(answer("worker.corp.local", kind), nothing());
    }
    assert_eq!(answer("one.worker.corp.local", A), no_name(), "without SRV, instances have no names");
    let unhealthy = Instance { is_healthy: false, ..Instance::clone(&row) };
    let row = world.tables.replace(&row, unhealthy).await.expect("replaces");
    world.until("worker.corp.local", |answer| answer == no_name()).await;
    world
        .tables
        .replace(&row, Instance { is_healthy: true, ..Instance::clone(&row) })
        .await
        .expect("replaces");
    world.until("worker.corp.local", |answer| answer != no_name()).await;
    let service = world.tables.get(&format!("{ACCOUNT}/srv-1")).await.expect("reads").expect("is there");
    world.tables.delete::<DiscoveryService>(&service).await.expect("deletes");
    world.until("worker.corp.local", |answer| answer == no_name()).await;
    world.close().await;
}

#[tokio::test]
async fn srv_records_point_to_names_with_addresses() {
    let records = [RecordKind::Srv];
    let worker = service("srv-1", "ns-1", "_http._tcp", &records, RoutingPolicy::MultiValue);
    let world = World::new(vec![worker], vec![instance("srv-1", "One", 1)]).await;
    let answer = |name, kind| world.zones.answer(ASKER, name, kind);
    let place = Place::Port("One._http._tcp.corp.local".to_owned(), 80);
    let name = "_http._tcp.corp.local";
    assert_eq!(answer(name, Kind::Of(RecordKind::Srv)), Some(Answer::Places(vec![(10, place)])));
    assert_eq!(answer(name, A), nothing());
    assert_eq!(answer("one._http._tcp.corp.local", A), Some(Answer::Places(vec![(10, v4(1))])));
    assert_eq!(answer("one._http._tcp.corp.local", Kind::Of(RecordKind::Aaaa)), nothing());
    assert_eq!(answer("two._http._tcp.corp.local", A), no_name());
    assert_eq!(answer("_tcp.corp.local", A), nothing(), "there is a name below it");
    assert_eq!(answer("tcp.corp.local", A), no_name());
    world.close().await;
}

#[tokio::test]
async fn an_answer_tells_of_eight_or_of_one_in_changing_order() {
    let many = service("srv-1", "ns-1", "many", &[RecordKind::A], RoutingPolicy::MultiValue);
    let one = service("srv-2", "ns-1", "one", &[RecordKind::A], RoutingPolicy::Weighted);
    let mut instances: Vec<Instance> = (0..12).map(|at| instance("srv-1", &format!("i{at}"), at)).collect();
    instances.extend(
        (0..3).map(|at| Instance { is_healthy: at == 1, ..instance("srv-2", &format!("i{at}"), at) }),
    );
    let world = World::new(vec![many, one], instances).await;
    let places = |name| match world.zones.answer(ASKER, name, A) {
        Some(Answer::Places(places)) => places.into_iter().map(|(_, place)| format!("{place:?}")).collect(),
        other => panic!("{other:?}"),
    };
    let (mut orders, mut seen) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..100 {
        let told: Vec<String> = places("many.corp.local");
        assert_eq!(told.iter().collect::<BTreeSet<_>>().len(), 8, "{told:?}");
        seen.extend(told.clone());
        orders.insert(told);
        assert_eq!(places("one.corp.local"), [format!("{:?}", v4(1))], "the healthy one");
    }
    assert!(orders.len() > 50 && seen.len() == 12);
    // With no healthy one, WEIGHTED takes any.
    let key = Instance::key_of(&ACCOUNT.parse().expect("an account"), "srv-2", "i1");
    let row = world.tables.get::<Instance>(&key).await.expect("reads").expect("is there");
    world
        .tables
        .replace(&row, Instance { is_healthy: false, ..Instance::clone(&row) })
        .await
        .expect("replaces");
    world
        .until("one.corp.local", |answer| match answer {
            Some(Answer::Places(places)) => places[0].1 != v4(1),
            _ => panic!("there is always one"),
        })
        .await;
    world.close().await;
}

#[tokio::test]
async fn tasks_see_the_namespaces_of_their_own_account_and_the_longest_name_wins() {
    let worker = service("srv-1", "ns-1", "worker", &[RecordKind::A], RoutingPolicy::MultiValue);
    let deep = service("srv-2", "ns-2", "worker", &[RecordKind::A], RoutingPolicy::MultiValue);
    let instances = vec![instance("srv-1", "one", 1), instance("srv-2", "two", 2)];
    let world = World::new(vec![worker, deep], instances).await;
    world.tables.create(namespace(ACCOUNT, "ns-2", "deep.corp.local")).await.expect("creates");
    world.tables.create(namespace(OTHER, "ns-3", "theirs.local")).await.expect("creates");
    world.until("worker.deep.corp.local", |answer| matches!(answer, Some(Answer::Places(_)))).await;
    let answer = |asker, name| world.zones.answer(asker, name, A);
    assert_eq!(answer(ASKER, "worker.deep.corp.local"), Some(Answer::Places(vec![(10, v4(2))])));
    assert_eq!(answer(ASKER, "worker.corp.local"), Some(Answer::Places(vec![(10, v4(1))])));
    assert_eq!(answer(ASKER, "x.theirs.local"), None);
    assert_eq!(answer(HOST, "worker.corp.local"), answer(ASKER, "worker.corp.local"));
    assert!(answer(HOST, "x.theirs.local").is_some(), "the host sees all");
    world.close().await;
}

#[tokio::test]
async fn a_namespace_is_there_for_its_vpc_alone() {
    let api = service("srv-1", "ns-1", "api", &[RecordKind::A], RoutingPolicy::MultiValue);
    let world = World::new(vec![api], vec![instance("srv-1", "i-1", 1)]).await;
    let found = Some(Answer::Places(vec![(10, v4(1))]));
    assert_eq!(world.zones.answer(ASKER, "api.corp.local", A), found);
    assert_eq!(world.zones.answer(HOST, "api.corp.local", A), found);
    // The address moves to an interface of another VPC, whichever of the two changes is seen first.
    let row = world.tables.get::<NetworkInterface>(&format!("{ACCOUNT}/eni-1")).await.expect("reads");
    let batch = world.tables.batch().delete(&row.expect("an interface"));
    batch.create(&interface("eni-2", "vpc-2", ASKER)).commit().await.expect("writes");
    world.until("api.corp.local", |answer| answer.is_none()).await;
    world.close().await;
}
