//! The task controller over a store in memory, with simulated time, and with a store that dies.

mod room;

use super::*;
use crate::feed::{feed, feed_whole};
use crate::flaky::FlakyStore;
use environment::{Environment, Simulation, Timestamp};
use ipnet::Ipv4Net;
use plan::{GRACE_GONE, GRACE_SILENT, KEEP_STOPPED, WAIT_FOR_HOST};
use reconcile::Settings;
use resources::ec2::{Address, NetworkInterface, Subnet};
use resources::ecs::{DesiredStatus, HealthStatus, StopCode, TaskContainer, TaskEvent, TaskOverride};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use store::{MemoryStore, Store, Versioned};
use tokio_util::sync::CancellationToken;

const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 88, 0, 1);

fn account() -> AccountId {
    "123456789012".parse().expect("an account")
}

fn task(id: &str, now: Timestamp) -> Task {
    Task {
        account: account(),
        cluster: "default".to_owned(),
        id: id.to_owned(),
        family: "web".to_owned(),
        revision: 1,
        desired_status: DesiredStatus::Running,
        last_status: TaskStatus::Provisioning,
        containers: vec![TaskContainer {
            name: "app".to_owned(),
            id: "c".to_owned(),
            image: "i".to_owned(),
            last_status: "PENDING".to_owned(),
            image_digest: None,
            pinned_digest: None,
            runtime_id: None,
            exit_code: None,
            reason: None,
            health: HealthStatus::Unknown,
            essential: true,
            cpu: 0,
            memory: None,
            exec_agent: None,
            memory_reservation: None,
        }],
        execute_command: false,
        overrides: TaskOverride::default(),
        cpu: 256,
        memory: 512,
        ephemeral_storage: 20,
        volumes: vec![],
        subnets: vec!["subnet-1".to_owned()],
        security_groups: Vec::new(),
        network_interface: None,
        container_instance: None,
        lack: None,
        group: "family:web".to_owned(),
        credentials_id: "credentials".to_owned(),
        started_by: None,
        service: None,
        capacity_provider: None,
        protected_until: None,
        targets: Vec::new(),
        registries: vec![],
        connect: None,
        tags: Vec::new(),
        version: 1,
        created_at: now,
        connectivity_at: None,
        pull_started_at: None,
        pull_stopped_at: None,
        started_at: None,
        stopping_at: None,
        execution_stopped_at: None,
        stopped_at: None,
        stop_code: None,
        stopped_reason: None,
    }
}

fn host(id: &str) -> ContainerInstance {
    ContainerInstance {
        account: account(),
        cluster: FARGATE_HOSTS.to_owned(),
        id: id.to_owned(),
        status: InstanceStatus::Active,
        agent_connected: true,
        cpu: 1 << 20,
        memory: 1 << 20,
        agent_version: "1".to_owned(),
        attributes: Vec::new(),
        registered_at: Timestamp::from_seconds(0),
    }
}

struct Bench {
    tables: Tables,
    simulation: Arc<Simulation>,
    controller: TaskController,
}

impl Bench {
    /// With a subnet of this many bits.
    async fn new(prefix: u8) -> Self {
        let (environment, simulation) = Environment::simulated(Timestamp::from_seconds(1_000), 1);
        let tables = Tables::new(MemoryStore::new(environment.clone()), environment);
        network(&tables, prefix).await;
        let controller = controller(&tables, prefix);
        Self { tables, simulation, controller }
    }

    async fn add_task(&self, id: &str) -> String {
        let row = self.tables.create(task(id, self.tables.environment().now())).await.expect("creates");
        self.controller.see_task(Seen::Row(row.clone()));
        row.key()
    }

    async fn add_host(&self, id: &str) -> Versioned<ContainerInstance> {
        self.tables.create(host(id)).await.expect("creates")
    }

    async fn run(&self, key: &str) -> Next {
        let next = self.controller.reconcile(&key.to_owned()).await.expect("reconciles");
        if let Some(row) = self.tables.get::<Task>(key).await.expect("reads") {
            self.controller.see_task(Seen::Row(row));
        }
        next
    }

    async fn task(&self, key: &str) -> Arc<Task> {
        self.tables.get::<Task>(key).await.expect("reads").expect("is there").value
    }

    async fn change(&self, key: &str, change: impl Fn(&mut Task)) {
        let changed = self.tables.update(key, |old: &Task| {
            let mut task = old.clone();
            change(&mut task);
            Ok::<_, StoreError>(Some(task))
        });
        changed.await.expect("updates");
    }
}

/// The region's addresses: those of a subnet of this many bits.
fn range(prefix: u8) -> Ipv4Net {
    Ipv4Net::new(GATEWAY, prefix).expect("a range").trunc()
}

fn controller(tables: &Tables, prefix: u8) -> TaskController {
    let networks = VirtualNetworks::new(tables.clone(), range(prefix));
    let placements = Placements::default();
    placements.listed();
    TaskController::new(tables.clone(), account(), networks, placements, Queue::new())
}

/// A VPC with `subnet-1`, which has all of its addresses, in the zone a, and the small `subnet-2` in the zone b.
async fn network(tables: &Tables, prefix: u8) {
    let networks = VirtualNetworks::new(tables.clone(), range(prefix));
    let (vpc, group) = networks.vpc(&account(), range(prefix), true);
    let first = Subnet { id: "subnet-1".into(), ..networks.new_subnet(&vpc, range(prefix), "a", true) };
    let other = Ipv4Net::new(Ipv4Addr::new(10, 99, 0, 0), 28).expect("a range");
    let second = Subnet { id: "subnet-2".into(), ..networks.new_subnet(&vpc, other, "b", true) };
    let batch = tables.batch().create(&vpc).create(&group).create(&first).create(&second);
    batch.commit().await.expect("writes");
}

async fn addresses(tables: &Tables) -> Vec<(Ipv4Addr, String)> {
    let rows = tables.list_all::<Address>("").await.expect("lists");
    rows.iter().map(|row| (row.address, row.holder.clone())).collect()
}

#[tokio::test]
async fn a_task_gets_the_least_loaded_host_and_an_address_of_its_own() {
    let bench = Bench::new(24).await;
    let hosts = [bench.add_host("a").await, bench.add_host("b").await];
    let mut silent = host("c");
    silent.agent_connected = false;
    bench.tables.create(silent).await.expect("creates");
    let mut seen = BTreeSet::new();
    for index in 0..6 {
        let key = bench.add_task(&format!("t{index}")).await;
        assert_eq!(bench.run(&key).await, Next::Settled);
        let task = bench.task(&key).await;
        assert_eq!(task.last_status, TaskStatus::Pending);
        let interface = task.network_interface.clone().expect("an interface");
        assert!(![GATEWAY, Ipv4Addr::new(10, 88, 0, 0)].contains(&interface.address));
        assert!(interface.id.len() == 21 && interface.mac.starts_with("02:"), "{interface:?}");
        assert_eq!(
            (interface.gateway, interface.prefix, interface.subnet_id.as_str()),
            (GATEWAY, 24, "subnet-1")
        );
        assert!(seen.insert(interface.address) && seen.len() == index + 1);
        assert!(addresses(&bench.tables).await.contains(&(interface.address, key)));
    }
    for host in &hosts {
        assert_eq!(bench.controller.placements.load(&host.key()), 3);
    }
}

#[tokio::test]
async fn a_released_task_gives_its_address_back_and_is_reaped_an_hour_later() {
    let bench = Bench::new(24).await;
    bench.add_host("a").await;
    let key = bench.add_task("t").await;
    bench.run(&key).await;
    let now = bench.tables.environment().now();
    bench
        .change(&key, |task| {
            task.advance(TaskEvent::Started, now);
            task.advance(TaskEvent::StopWanted, now);
            task.advance(TaskEvent::ContainersStopped, now);
        })
        .await;
    assert_eq!(bench.run(&key).await, Next::After(KEEP_STOPPED));
    let task = bench.task(&key).await;
    assert_eq!((task.last_status, task.stopped_at), (TaskStatus::Stopped, Some(now)));
    assert!(addresses(&bench.tables).await.is_empty());
    bench.simulation.advance(KEEP_STOPPED.saturating_sub(Duration::from_secs(1)));
    assert_eq!(bench.run(&key).await, Next::After(Duration::from_secs(1)));
    bench.simulation.advance(Duration::from_secs(1));
    assert_eq!(bench.run(&key).await, Next::Settled);
    assert!(bench.tables.get::<Task>(&key).await.expect("reads").is_none());
    assert_eq!(bench.run(&key).await, Next::Settled, "a task that is gone is no error");
}

#[tokio::test]
async fn a_stopped_task_goes_although_the_clock_was_put_back() {
    for (hours, shown) in [(2, false), (1, true)] {
        let bench = Bench::new(24).await;
        let key = bench.add_task("t").await;
        let now = bench.tables.environment().now();
        bench.change(&key, |task| task.want_stop(StopCode::UserInitiated, "by a user", now)).await;
        bench.run(&key).await;
        bench.simulation.set(now - KEEP_STOPPED * hours);
        bench.run(&key).await;
        assert_eq!(bench.tables.get::<Task>(&key).await.expect("reads").is_some(), shown);
    }
}

#[tokio::test]
async fn a_task_stopped_before_it_was_placed_is_over_at_once() {
    let bench = Bench::new(24).await;
    bench.add_host("a").await;
    let key = bench.add_task("t").await;
    let now = bench.tables.environment().now();
    bench.change(&key, |task| task.want_stop(StopCode::UserInitiated, "by a user", now)).await;
    bench.run(&key).await;
    let task = bench.task(&key).await;
    assert_eq!((task.last_status, task.stop_code), (TaskStatus::Stopped, Some(StopCode::UserInitiated)));
    assert_eq!(task.containers[0].last_status, "STOPPED");
    assert!(addresses(&bench.tables).await.is_empty() && task.container_instance.is_none());
}

#[tokio::test]
async fn without_a_host_a_task_waits_and_then_gives_up() {
    let bench = Bench::new(24).await;
    let key = bench.add_task("t").await;
    assert_eq!(bench.run(&key).await, Next::After(WAIT_FOR_HOST));
    bench.simulation.advance(WAIT_FOR_HOST);
    bench.run(&key).await;
    let task = bench.task(&key).await;
    assert_eq!((task.last_status, task.stop_code), (TaskStatus::Stopped, Some(StopCode::TaskFailedToStart)));
    assert!(task.stopped_reason.as_deref().unwrap_or_default().starts_with("Capacity is unavailable"));
}

#[tokio::test]
async fn a_clock_that_is_set_ends_no_wait_for_a_host_and_makes_none_longer() {
    let bench = Bench::new(24).await;
    let key = bench.add_task("t").await;
    assert_eq!(bench.run(&key).await, Next::After(WAIT_FOR_HOST));
    let now = bench.tables.environment().now();
    bench.simulation.set(now + WAIT_FOR_HOST * 2);
    assert_eq!(bench.run(&key).await, Next::After(WAIT_FOR_HOST));
    bench.simulation.set(now - WAIT_FOR_HOST * 2);
    bench.simulation.advance(WAIT_FOR_HOST / 2);
    assert_eq!(bench.run(&key).await, Next::After(WAIT_FOR_HOST / 2));
    bench.simulation.advance(WAIT_FOR_HOST / 2);
    bench.run(&key).await;
    assert_eq!(bench.task(&key).await.last_status, TaskStatus::Stopped);
}

#[tokio::test]
async fn a_full_subnet_stops_the_task_with_the_reason_of_aws() {
    let bench = Bench::new(28).await;
    bench.add_host("a").await;
    for index in 0..11 {
        let key = bench.add_task(&format!("t{index}")).await;
        bench.run(&key).await;
    }
    let key = bench.add_task("late").await;
    bench.run(&key).await;
    let late = bench.task(&key).await;
    assert_eq!(late.last_status, TaskStatus::Stopped);
    let reason = late.stopped_reason.clone().unwrap_or_default();
    assert!(reason.ends_with("in subnet 'subnet-1': InsufficientFreeAddressesInSubnet"), "{reason}");
    // One that ends makes room again.
    let first = "123456789012/default/t0";
    let now = bench.tables.environment().now();
    bench
        .change(first, |task| {
            task.advance(TaskEvent::ContainersStopped, now);
        })
        .await;
    bench.run(first).await;
    let key = bench.add_task("later").await;
    bench.run(&key).await;
    assert_eq!(bench.task(&key).await.last_status, TaskStatus::Pending);
}

#[tokio::test]
async fn an_address_that_somebody_else_has_written_is_not_tried_for_ever() {
    let bench = Bench::new(28).await;
    bench.add_host("a").await;
    for index in 0..10 {
        let key = bench.add_task(&format!("t{index}")).await;
        bench.run(&key).await;
    }
    // Another server, or a transaction of this one whose answer was lost.
    let last = Ipv4Addr::new(10, 88, 0, 14);
    bench.tables.create(Address { address: last, holder: "x".to_owned() }).await.expect("creates");
    let key = bench.add_task("late").await;
    bench.run(&key).await;
    assert_eq!(bench.task(&key).await.last_status, TaskStatus::Stopped);
}

#[tokio::test]
async fn tasks_are_spread_over_the_zones_of_their_subnets() {
    let bench = Bench::new(24).await;
    bench.add_host("a").await;
    let mut zones = Vec::new();
    for index in 0..4 {
        let key = format!("123456789012/default/t{index}");
        let mut task = task(&format!("t{index}"), bench.tables.environment().now());
        task.subnets = vec!["subnet-1".to_owned(), "subnet-2".to_owned()];
        bench.tables.create(task).await.expect("creates");
        bench.run(&key).await;
        let interface = bench.task(&key).await.network_interface.clone().expect("an interface");
        assert_eq!(interface.subnet_id, if interface.zone == "a" { "subnet-1" } else { "subnet-2" });
        zones.push(interface.zone);
    }
    assert_eq!(zones, ["a", "b", "a", "b"]);
    // Those that are placed at the same time see one another.
    let late = task("late", bench.tables.environment().now());
    let at_once = |key: &str| bench.controller.placements.intend(key, &late, &["a", "b"]);
    assert_eq!(["x", "y", "z", "x"].map(at_once), [0, 1, 0, 0]);
    for key in ["x", "y", "z"] {
        bench.controller.placements.forget(key);
    }
    // One that ends makes its zone the emptier one.
    let now = bench.tables.environment().now();
    let first = "123456789012/default/t1";
    bench
        .change(first, |task| {
            task.advance(TaskEvent::ContainersStopped, now);
        })
        .await;
    bench.run(first).await;
    assert!(bench.tables.list_all::<NetworkInterface>("").await.expect("lists").len() == 3);
    assert_eq!(at_once("x"), 1);
}

#[tokio::test]
async fn tasks_of_a_lost_host_end_after_a_while() {
    for (grace, deregistered) in [(GRACE_SILENT, false), (GRACE_GONE, true)] {
        let bench = Bench::new(24).await;
        let machine = bench.add_host("a").await;
        let key = bench.add_task("t").await;
        bench.run(&key).await;
        let change = |host: &ContainerInstance, lost: bool| {
            let status = if deregistered && lost { InstanceStatus::Inactive } else { InstanceStatus::Active };
            ContainerInstance { status, agent_connected: !lost, ..host.clone() }
        };
        let machine = bench.tables.replace(&machine, change(&machine, true)).await.expect("replaces");
        assert_eq!(bench.run(&key).await, Next::After(grace));
        // Back in time: nothing has happened, and the next loss counts from its own beginning.
        bench.simulation.advance(grace.saturating_sub(Duration::from_secs(1)));
        let machine = bench.tables.replace(&machine, change(&machine, false)).await.expect("replaces");
        assert_eq!(bench.run(&key).await, Next::Settled);
        bench.tables.replace(&machine, change(&machine, true)).await.expect("replaces");
        assert_eq!(bench.run(&key).await, Next::After(grace));
        bench.simulation.advance(grace);
        bench.run(&key).await;
        let task = bench.task(&key).await;
        assert_eq!(
            (task.last_status, task.stop_code),
            (TaskStatus::Stopped, Some(StopCode::TaskFailedToStart))
        );
        assert!(task.stopped_reason.as_deref().unwrap_or_default().contains("container instance a"));
        assert!(addresses(&bench.tables).await.is_empty());
    }
}

/// A life from RunTask to the reaper, with every transaction failing once before and once after it is done.
#[tokio::test]
async fn dying_at_any_transaction_changes_nothing_in_the_end() {
    for dies_at in 1.. {
        let (environment, simulation) = Environment::simulated(Timestamp::from_seconds(1_000), 1);
        let store = FlakyStore::new(MemoryStore::new(environment.clone()));
        let tables = Tables::new(store.clone() as Arc<dyn Store>, environment.clone());
        tables.create(host("a")).await.expect("creates");
        network(&tables, 24).await;
        let key = tables.create(task("t", environment.now())).await.expect("creates").key();
        store.die_at(dies_at);

        // Another controller every time: what one remembers dies with it.
        while controller(&tables, 24).reconcile(&key).await.is_err() {}
        let placed = tables.get::<Task>(&key).await.expect("reads").expect("is there");
        assert_eq!(placed.last_status, TaskStatus::Pending);
        let address = placed.network_interface.as_ref().expect("an interface").address;
        assert_eq!(addresses(&tables).await, [(address, key.clone())]);

        let mut ending = Task::clone(&placed);
        ending.advance(TaskEvent::ContainersStopped, environment.now());
        store.without_dying(tables.replace(&placed, ending)).await.expect("replaces");
        while controller(&tables, 24).reconcile(&key).await.is_err() {}
        let over = tables.get::<Task>(&key).await.expect("reads").expect("is there");
        assert_eq!(over.last_status, TaskStatus::Stopped);
        assert!(addresses(&tables).await.is_empty());

        simulation.advance(KEEP_STOPPED);
        while controller(&tables, 24).reconcile(&key).await.is_err() {}
        assert!(tables.get::<Task>(&key).await.expect("reads").is_none());
        if !store.died() {
            assert!(dies_at > 6, "three transactions, each before and after");
            return;
        }
    }
}

#[tokio::test]
async fn two_hundred_tasks_are_placed_by_the_watch_alone_as_soon_as_a_host_comes() {
    let environment = Environment::real();
    let tables = Tables::new(MemoryStore::new(environment.clone()), environment.clone());
    let stop = CancellationToken::new();
    let queue = Queue::new();
    network(&tables, 16).await;
    let networks = VirtualNetworks::new(tables.clone(), range(16));
    let placements = Placements::default();
    let controller = TaskController::new(tables.clone(), account(), networks, placements, queue.clone());
    let controller = Arc::new(controller);
    let running = tokio::spawn({
        let (tables, stop, controller) = (tables.clone(), stop.clone(), controller.clone());
        async move {
            tokio::join!(
                feed_whole(
                    tables.clone(),
                    stop.clone(),
                    |seen| controller.see_task(seen),
                    || controller.tasks_are_listed()
                ),
                feed(tables, stop.clone(), |seen| controller.see_host(seen)),
                reconcile::run(controller.clone(), queue, Settings::named("task"), environment, stop.clone()),
            );
        }
    });
    let mut watch = tables.watch::<Task>("", None).await.expect("watches");
    for index in 0..200 {
        let now = tables.environment().now();
        tables.create(task(&format!("t{index}"), now)).await.expect("creates");
    }
    tables.create(host("a")).await.expect("creates");
    let mut pending = BTreeSet::new();
    let all = async {
        while pending.len() < 200 {
            for change in watch.next().await.expect("changes") {
                if let store::TableChange::Put(task) = change
                    && task.last_status == TaskStatus::Pending
                {
                    pending.insert(task.network_interface.as_ref().expect("an interface").address);
                }
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), all).await.expect("all are placed, on different addresses");
    stop.cancel();
    running.await.expect("joins");
}
