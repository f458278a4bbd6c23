//! Zones over a store in memory.

use super::*;
use dns_zones::{Answers, Authority, Record, RecordData, RecordType, ZoneAnswer};
use environment::Timestamp;
use resources::discovery::{
    CustomHealth, DnsConfig, DnsRecord, NamespaceKind, RecordKind, RoutingPolicy, Tags,
};
use resources::ec2::InterfaceUse;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use store::MemoryStore;

const ACCOUNT: &str = "123456789012";
const OTHER: &str = "999999999999";
const ASKER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 7);
const HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

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

fn service(id: &str, namespace: &str, name: &str, kind: RecordKind) -> DiscoveryService {
    DiscoveryService {
        account: ACCOUNT.parse().expect("an account"),
        id: id.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        description: None,
        dns: Some(DnsConfig {
            routing: RoutingPolicy::MultiValue,
            records: vec![DnsRecord { kind, ttl: 10 }],
        }),
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

    fn answer(&self, asker: Ipv4Addr, name: &str, kind: RecordType) -> Option<ZoneAnswer> {
        Answers::new(BTreeMap::new(), self.zones.now()).answer(asker, name, kind, 1)
    }

    async fn until(&self, name: &str, what: impl Fn(Option<ZoneAnswer>) -> bool) {
        let mut changes = self.zones.changes();
        let wait = async {
            while !what(self.answer(ASKER, name, RecordType::A)) {
                changes.changed().await.expect("is followed");
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.expect("in time");
    }

    async fn close(self) {
        self.stop.cancel();
        self.following.await.expect("ends");
    }
}

#[expect(clippy::unnecessary_wraps, reason = "compared with answers that may be none")]
fn found(last: u8) -> Option<ZoneAnswer> {
    let data = RecordData::A(Ipv4Addr::new(10, 0, 1, last));
    Some(ZoneAnswer::Records(vec![Record { ttl: 10, data }]))
}

#[expect(clippy::unnecessary_wraps, reason = "compared with answers that may be none")]
fn no_name() -> Option<ZoneAnswer> {
    Some(ZoneAnswer::NoName(Authority { zone: "corp.local".to_owned(), ttl: 15 }))
}

#[tokio::test]
async fn names_come_and_go_with_their_instances() {
    let world = World::new(vec![service("srv-1", "ns-1", "Worker", RecordKind::A)], vec![]).await;
    assert_eq!(world.answer(ASKER, "worker.corp.local", RecordType::A), no_name(), "no instance, no name");
    let row = world.tables.create(instance("srv-1", "one", 1)).await.expect("creates");
    world.until("worker.corp.local", |answer| answer == found(1)).await;
    let unhealthy = Instance { is_healthy: false, ..Instance::clone(&row) };
    let row = world.tables.replace(&row, unhealthy).await.expect("replaces");
    world.until("worker.corp.local", |answer| answer == no_name()).await;
    let healthy = Instance { is_healthy: true, ..Instance::clone(&row) };
    let row = world.tables.replace(&row, healthy).await.expect("replaces");
    world.until("worker.corp.local", |answer| answer == found(1)).await;
    world.tables.delete::<Instance>(&row).await.expect("deletes");
    world.until("worker.corp.local", |answer| answer == no_name()).await;
    world.tables.create(instance("srv-1", "two", 2)).await.expect("creates");
    world.until("worker.corp.local", |answer| answer == found(2)).await;
    let service = world.tables.get(&format!("{ACCOUNT}/srv-1")).await.expect("reads").expect("is there");
    world.tables.delete::<DiscoveryService>(&service).await.expect("deletes");
    world.until("worker.corp.local", |answer| answer == no_name()).await;
    world.close().await;
}

#[tokio::test]
async fn rows_become_what_a_name_server_is_told() {
    let worker = service("srv-1", "ns-1", "_http._tcp", RecordKind::Srv);
    let idle = service("srv-2", "ns-1", "idle", RecordKind::A);
    let world = World::new(vec![worker, idle], vec![instance("srv-1", "One", 1)]).await;
    world.tables.create(interface("eni-2", "vpc-2", HOST)).await.expect("creates");
    world.tables.create(namespace(OTHER, "ns-3", "theirs.local")).await.expect("creates");
    world.until("x.corp.local", |_| world.zones.now().zones.len() == 2).await;
    let told = world.zones.now();
    assert_eq!(told, world.zones.now(), "the same rows make the same zones");
    let [service] = told.zones[0].services.as_slice() else { panic!("{told:?}") };
    assert_eq!(
        (service.name.as_str(), service.routing),
        ("_http._tcp.corp.local", dns_zones::Routing::MultiValue)
    );
    assert_eq!(service.records, [dns_zones::RecordSet { kind: dns_zones::RecordKind::Srv, ttl: 10 }]);
    let v4 = Some(Ipv4Addr::new(10, 0, 1, 1));
    let one = dns_zones::Instance { id: "One".to_owned(), healthy: true, v4, v6: None, port: Some(80) };
    assert_eq!(service.instances, [one]);
    let view = |zones, client| dns_zones::View { zones, clients: vec![client] };
    assert_eq!(told.views, [view(vec![0], ASKER), view(vec![], HOST)]);
    world.close().await;
}

#[tokio::test]
async fn tasks_see_the_namespaces_of_their_own_account() {
    let worker = service("srv-1", "ns-1", "worker", RecordKind::A);
    let world = World::new(vec![worker], vec![instance("srv-1", "one", 1)]).await;
    world.tables.create(namespace(OTHER, "ns-3", "theirs.local")).await.expect("creates");
    world.until("worker.corp.local", |answer| answer == found(1)).await;
    world.until("x.corp.local", |_| world.zones.now().zones.len() == 2).await;
    assert_eq!(world.answer(ASKER, "x.theirs.local", RecordType::A), None);
    assert!(world.answer(HOST, "x.theirs.local", RecordType::A).is_some(), "the host sees all");
    world.close().await;
}

#[tokio::test]
async fn a_namespace_is_there_for_its_vpc_alone() {
    let api = service("srv-1", "ns-1", "api", RecordKind::A);
    let world = World::new(vec![api], vec![instance("srv-1", "i-1", 1)]).await;
    assert_eq!(world.answer(ASKER, "api.corp.local", RecordType::A), found(1));
    assert_eq!(world.answer(HOST, "api.corp.local", RecordType::A), found(1));
    // The address moves to an interface of another VPC, whichever of the two changes is seen first.
    let row = world.tables.get::<NetworkInterface>(&format!("{ACCOUNT}/eni-1")).await.expect("reads");
    let batch = world.tables.batch().delete(&row.expect("an interface"));
    batch.create(&interface("eni-2", "vpc-2", ASKER)).commit().await.expect("writes");
    world.until("api.corp.local", |answer| answer.is_none()).await;
    world.close().await;
}
