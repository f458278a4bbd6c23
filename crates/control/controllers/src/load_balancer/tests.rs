//! The controller over a store in memory and a data plane that notes what it is told.

use super::*;
use environment::Environment;
use load_balancing::{ListenerReport, TargetReport, TargetState as Seen};
use parking_lot::Mutex as Lock;
use resources::ec2::{Address, NetworkInterface};
use resources::elb::{
    Listener, LoadBalancer, LoadBalancerState, LoadBalancerZone, Target, TargetGroup, TargetHealth,
    TargetState,
};
use serde_json::json;
use std::sync::Arc;
use store::{MemoryStore, Versioned};

const ARN: &str = "arn:aws:elasticloadbalancing:us-east-1:123456789012";

#[derive(Clone, Default)]
struct Noted(Arc<Lock<State>>);

#[derive(Default)]
struct State {
    wanted: Option<Wanted>,
    told: usize,
    stops: usize,
    report: Report,
}

#[async_trait]
impl DataPlane for Noted {
    async fn apply(&self, wanted: &Wanted) -> Result<(), DataPlaneError> {
        let mut state = self.0.lock();
        state.report.revision = wanted.configuration.revision;
        state.wanted = Some(wanted.clone());
        state.told += 1;
        Ok(())
    }

    async fn report(&self) -> Result<Report, DataPlaneError> {
        Ok(self.0.lock().report.clone())
    }

    async fn stop(&self) -> Result<(), DataPlaneError> {
        let mut state = self.0.lock();
        state.wanted = None;
        state.stops += 1;
        Ok(())
    }
}

struct Bench {
    tables: Tables,
    plane: Noted,
    controller: LoadBalancerController<Noted>,
}

fn row<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> T {
    serde_json::from_value(value).expect("a row")
}

impl Bench {
    /// A load balancer with a listener that forwards to a group with one target.
    async fn new() -> Self {
        let (environment, _) = Environment::simulated(Timestamp::from_seconds(1_000), 1);
        let tables = Tables::new(MemoryStore::new(environment.clone()), environment.clone());
        let balancer: LoadBalancer = row(json!({
            "account": "123456789012", "name": "web", "arn": format!("{ARN}:loadbalancer/app/web/1"),
            "dns_name": "web-1.us-east-1.elb.localhost", "kind": "Application", "internet_facing": true, "vpc": "v",
            "zones": [], "security_groups": [], "attributes": {}, "tags": [], "created_at": 0, "state": "Provisioning"
        }));
        let group: TargetGroup = row(json!({
            "account": "123456789012", "name": "tg", "arn": format!("{ARN}:targetgroup/tg/1"), "protocol": "Http",
            "protocol_version": "Http1", "port": 80, "vpc": "v", "attributes": {}, "tags": [],
            "health_check": {
                "enabled": true, "protocol": "Http", "port": "traffic-port", "path": "/", "interval": 30, "timeout": 5,
                "healthy_threshold": 5, "unhealthy_threshold": 2, "matcher": "200"
            },
            "created_at": 0
        }));
        let listener: Listener = row(json!({
            "account": "123456789012", "load_balancer": "web", "load_balancer_arn": balancer.arn, "id": "2",
            "arn": format!("{ARN}:listener/app/web/1/2"), "protocol": "Http", "port": 8080, "ssl_policy": null,
            "alpn_policy": null, "certificates": [], "default_rule": "3",
            "default_actions": [
                {"Forward": {"target_groups": [{"arn": group.arn, "weight": 1}], "stickiness": null}}
            ],
            "attributes": {}, "tags": [], "created_at": 0
        }));
        let target: Target = row(json!({
            "account": "123456789012", "target_group": "tg", "target_group_arn": group.arn, "address": "10.0.0.9",
            "port": 80, "zone": null, "registered_at": 0, "health": TargetHealth::initial()
        }));
        tables.create(group).await.expect("creates");
        tables.create(listener).await.expect("creates");
        tables.create(target).await.expect("creates");
        let plane = Noted::default();
        let networks = VirtualNetworks::new(tables.clone(), "10.88.0.0/24".parse().expect("a range"));
        let account = "123456789012".parse().expect("an account");
        networks.ensure_default(&account).await.expect("makes");
        let subnet = tables.list_all::<resources::ec2::Subnet>("").await.expect("lists").remove(0);
        let balancer = LoadBalancer {
            zones: vec![LoadBalancerZone::new("us-east-1a".to_owned(), subnet.id.clone())],
            ..balancer
        };
        tables.create(balancer).await.expect("creates");
        let settings = Settings {
            region: "us-east-1".parse().expect("a region"),
            networks,
            access_logs: PathBuf::from("/logs"),
            loopback: true,
        };
        let keys = KeyRing::in_memory(environment);
        let controller = LoadBalancerController::new(tables.clone(), keys, None, settings, plane.clone());
        Self { tables, plane, controller }
    }

    async fn run(&self) {
        for _ in 0..8 {
            self.controller.reconcile(&All).await.expect("runs");
        }
    }

    async fn only<T: resources::Stored>(&self) -> Versioned<T> {
        self.tables.list_all::<T>("").await.expect("lists").remove(0)
    }

    fn report(&self, state: Seen) {
        let mut plane = self.plane.0.lock();
        plane.report.targets = vec![TargetReport {
            target_group: format!("{ARN}:targetgroup/tg/1"),
            id: "10.0.0.9".to_owned(),
            port: 80,
            state,
            reason: None,
            description: None,
            since: Timestamp::from_seconds(0),
            outstanding: 0,
        }];
    }

    async fn drain(&self) {
        let old = self.only::<Target>().await;
        let mut new = Target::clone(&old);
        new.drain(Timestamp::from_seconds(1_000));
        self.tables.replace(&old, new).await.expect("replaces");
    }
}

#[tokio::test]
async fn a_load_balancer_gets_an_address_and_is_active_when_it_listens() {
    let bench = Bench::new().await;
    bench.run().await;
    let balancer = bench.only::<LoadBalancer>().await;
    let zone = &balancer.zones[0];
    let address = zone.address.expect("an address");
    let interface = bench.only::<NetworkInterface>().await;
    assert_eq!((interface.address, Some(&interface.id)), (address, zone.interface.as_ref()));
    assert_eq!(bench.only::<Address>().await.holder, interface.holder());
    assert_eq!(balancer.state, LoadBalancerState::Active);
    assert_eq!(bench.plane.0.lock().told, 1, "what is the same is not told again");
    let wanted = bench.plane.0.lock().wanted.clone().expect("is told");
    assert_eq!(wanted.names[&balancer.dns_name], [address]);
    let [own, loopback] = &wanted.configuration.load_balancers[..] else { panic!("two: {wanted:?}") };
    assert_eq!(own.listeners[0].port, 8080);
    assert_eq!(loopback.listeners[0].rules.len(), 1, "the name leads to the default action");
    let error = Some("the address is taken".to_owned());
    bench.plane.0.lock().report.listeners = vec![ListenerReport { arn: own.listeners[0].arn.clone(), error }];
    bench.run().await;
    let failed = LoadBalancerState::Failed("HTTP:8080: the address is taken".to_owned());
    assert_eq!(bench.only::<LoadBalancer>().await.state, failed);
}

#[tokio::test]
async fn a_load_balancer_has_an_address_in_each_zone_and_says_where_it_has_none() {
    let bench = Bench::new().await;
    let old = bench.only::<LoadBalancer>().await;
    let subnets = bench.tables.list_all::<resources::ec2::Subnet>("").await.expect("lists");
    let zones = subnets.iter().take(2).map(|own| LoadBalancerZone::new(own.zone.clone(), own.id.clone()));
    let nowhere = LoadBalancerZone::new("z".to_owned(), "subnet-gone".to_owned());
    let zones: Vec<_> = zones.chain([nowhere]).collect();
    bench.tables.replace(&old, LoadBalancer { zones, ..LoadBalancer::clone(&old) }).await.expect("replaces");
    bench.run().await;
    let own = bench.only::<LoadBalancer>().await;
    let addresses: Vec<_> = own.addresses().collect();
    assert_eq!(addresses.len(), 2);
    assert!(subnets[0].cidr.contains(&addresses[0]) && subnets[1].cidr.contains(&addresses[1]));
    let reason = "z: The subnet of the load balancer does not exist (SubnetNotFound)".to_owned();
    assert_eq!(own.state, LoadBalancerState::Impaired(reason));
    let wanted = bench.plane.0.lock().wanted.clone().expect("is told");
    assert_eq!(wanted.names[&own.dns_name], addresses);
    assert_eq!(wanted.configuration.load_balancers[0].addresses.len(), 2);
    let revision = own.revision;
    bench.run().await;
    assert_eq!(bench.only::<LoadBalancer>().await.revision, revision, "what cannot be is not written again");
}

#[tokio::test]
async fn the_address_of_an_earlier_version_is_kept() {
    let bench = Bench::new().await;
    bench.run().await;
    let own = bench.only::<LoadBalancer>().await;
    let before: Vec<_> = own.addresses().collect();
    let zones = own.zones.iter().map(|zone| LoadBalancerZone::new(zone.zone.clone(), zone.subnet.clone()));
    let forgotten = LoadBalancer { zones: zones.collect(), ..LoadBalancer::clone(&own) };
    bench.tables.replace(&own, forgotten).await.expect("replaces");
    bench.run().await;
    assert_eq!(bench.only::<LoadBalancer>().await.addresses().collect::<Vec<_>>(), before);
    assert_eq!(bench.tables.list_all::<NetworkInterface>("").await.expect("lists").len(), 1);
}

#[tokio::test]
async fn a_server_that_starts_anew_gives_no_second_address() {
    let bench = Bench::new().await;
    bench.run().await;
    let before = bench.only::<LoadBalancer>().await;
    *bench.controller.memory.lock().await = Memory::default();
    bench.run().await;
    assert_eq!(bench.only::<LoadBalancer>().await.revision, before.revision, "nothing was written");
    assert_eq!(bench.plane.0.lock().told, 2);
}

#[tokio::test]
async fn health_is_written_when_it_changes_and_drained_targets_go() {
    let bench = Bench::new().await;
    bench.report(Seen::Healthy);
    bench.run().await;
    let healthy = bench.only::<Target>().await;
    assert_eq!(healthy.health.state, TargetState::Healthy);
    bench.run().await;
    assert_eq!(bench.only::<Target>().await.revision, healthy.revision);
    bench.drain().await;
    bench.report(Seen::Draining);
    bench.run().await;
    assert_eq!(bench.only::<Target>().await.health.state, TargetState::Draining);
    bench.report(Seen::Unused);
    bench.run().await;
    assert!(bench.tables.list_all::<Target>("").await.expect("lists").is_empty());
}

#[tokio::test]
async fn the_target_of_a_task_stays_until_the_task_lets_go() {
    let bench = Bench::new().await;
    let old = bench.only::<Target>().await;
    let new = Target { task: Some("t".to_owned()), ..Target::clone(&old) };
    bench.tables.replace(&old, new).await.expect("replaces");
    bench.drain().await;
    bench.report(Seen::Unused);
    bench.run().await;
    assert_eq!(bench.only::<Target>().await.health.state, TargetState::Drained);
}

#[tokio::test]
async fn with_the_last_load_balancer_the_data_plane_ends_and_targets_are_unused() {
    let bench = Bench::new().await;
    bench.run().await;
    let listener = bench.only::<Listener>().await;
    bench.tables.delete(&listener).await.expect("deletes");
    let balancer = bench.only::<LoadBalancer>().await;
    bench.tables.delete(&balancer).await.expect("deletes");
    bench.run().await;
    let stops = bench.plane.0.lock().stops;
    assert_eq!((stops, bench.plane.0.lock().wanted.is_some()), (1, false));
    let target = bench.only::<Target>().await;
    assert_eq!(target.health.reason.as_deref(), Some("Target.NotInUse"));
    bench.drain().await;
    bench.run().await;
    assert!(bench.tables.list_all::<Target>("").await.expect("lists").is_empty());
}
