//! Hosts that have no room.

use super::*;
use crate::task::plan::LOOK_AGAIN;
use resources::ecs::{Lack, NO_CAPACITY};

/// A host for two tasks by its CPU, and for more by its memory.
fn small(id: &str) -> ContainerInstance {
    ContainerInstance { cpu: 512, memory: 4096, ..host(id) }
}

async fn end(bench: &Bench, key: &str) {
    let now = bench.tables.environment().now();
    bench
        .change(key, |task| {
            task.advance(TaskEvent::ContainersStopped, now);
        })
        .await;
    bench.run(key).await;
}

#[tokio::test]
async fn a_task_without_room_waits_for_one_that_ends_and_then_gives_up() {
    let bench = Bench::new(24).await;
    bench.tables.create(small("a")).await.expect("creates");
    let mut keys = Vec::new();
    for index in 0..4 {
        keys.push(bench.add_task(&format!("t{index}")).await);
        bench.run(&keys[index]).await;
    }
    for (key, lack) in keys.iter().zip([None, None, Some(Lack::Cpu), Some(Lack::Cpu)]) {
        let task = bench.task(key).await;
        assert_eq!((task.container_instance.is_none(), task.lack), (lack.is_some(), lack), "{key}");
    }
    assert_eq!(bench.run(&keys[2]).await, Next::After(LOOK_AGAIN));
    end(&bench, &keys[0]).await;
    assert_eq!(bench.run(&keys[2]).await, Next::Settled);
    let placed = bench.task(&keys[2]).await;
    assert_eq!((placed.last_status, placed.lack), (TaskStatus::Pending, None));
    bench.simulation.advance(WAIT_FOR_HOST);
    bench.run(&keys[3]).await;
    let over = bench.task(&keys[3]).await;
    assert_eq!((over.last_status, over.stop_code), (TaskStatus::Stopped, Some(StopCode::TaskFailedToStart)));
    assert_eq!(over.stopped_reason.as_deref(), Some(NO_CAPACITY));
}

#[tokio::test]
async fn a_task_of_a_service_waits_for_room_without_end_and_takes_that_of_a_larger_host() {
    let bench = Bench::new(24).await;
    bench.tables.create(small("a")).await.expect("creates");
    let now = bench.tables.environment().now();
    let large = Task { memory: 8192, service: Some("web".to_owned()), ..task("t", now) };
    let key = bench.tables.create(large).await.expect("creates").key();
    bench.run(&key).await;
    bench.simulation.advance(WAIT_FOR_HOST * 10);
    assert_eq!(bench.run(&key).await, Next::After(LOOK_AGAIN));
    assert_eq!(bench.task(&key).await.lack, Some(Lack::Memory));
    bench.tables.create(ContainerInstance { memory: 8192, ..small("b") }).await.expect("creates");
    bench.run(&key).await;
    let placed = bench.task(&key).await;
    assert!(placed.container_instance.as_deref().is_some_and(|host| host.ends_with("/b")), "{placed:?}");
}

#[tokio::test]
async fn nothing_is_placed_before_it_is_known_what_is_there() {
    let mut bench = Bench::new(24).await;
    bench.add_host("a").await;
    let networks = VirtualNetworks::new(bench.tables.clone(), range(24));
    let queue = Queue::new();
    bench.controller =
        TaskController::new(bench.tables.clone(), account(), networks, Placements::default(), queue);
    let key = bench.add_task("t").await;
    assert_eq!(bench.run(&key).await, Next::After(WAIT_FOR_HOST));
    bench.controller.tasks_are_listed();
    assert_eq!(bench.run(&key).await, Next::Settled);
    assert_eq!(bench.task(&key).await.last_status, TaskStatus::Pending);
}

/// Many at once, by the watch alone: never more than there is room for, and each in the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_full_host_is_never_overfilled_and_everybody_has_their_turn() {
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
    tables.create(small("a")).await.expect("creates");
    for index in 0..60 {
        tables.create(task(&format!("t{index}"), tables.environment().now())).await.expect("creates");
    }
    let (mut there, mut over) = (BTreeSet::new(), BTreeSet::new());
    let all = async {
        while over.len() < 60 {
            for change in watch.next().await.expect("changes") {
                let store::TableChange::Put(task) = change else { continue };
                match task.last_status {
                    TaskStatus::Pending => {
                        there.insert(task.key());
                        assert!(there.len() <= 2, "{there:?}");
                        let (key, now) = (task.key(), tables.environment().now());
                        let ended = tables.update(&key, |old: &Task| {
                            let mut task = old.clone();
                            task.advance(TaskEvent::ContainersStopped, now);
                            Ok::<_, StoreError>(Some(task))
                        });
                        ended.await.expect("updates");
                    }
                    TaskStatus::Stopped => {
                        there.remove(&task.key());
                        over.insert(task.key());
                    }
                    _ => {}
                }
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), all).await.expect("each has its turn");
    stop.cancel();
    running.await.expect("joins");
}
