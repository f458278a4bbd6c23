//! Services over a store in memory, with simulated time, a store that dies and a controller that is started over.

mod world;

use super::*;
use resources::cloudwatch::StateValue;
use resources::ecs::{RolloutState, ServiceDeploymentStatus, StopCode, StopType, Strategy, TaskEvent};
use world::{Release, World, region};

#[tokio::test]
async fn a_service_comes_to_rest_and_replaces_what_crashes() {
    let mut world = World::new(1, 3).await;
    world.settle().await;
    let first = world.tasks().await;
    assert_eq!(first.len(), 3);
    for task in &first {
        assert_eq!(task.group, "service:web");
        assert_eq!(task.started_by.as_deref(), Some(world.service().await.deployments[0].id.as_str()));
    }
    world.end(&first[0].id, TaskEvent::ContainersStopped, StopCode::EssentialContainerExited).await;
    world.reconcile().await;
    assert_eq!(world.live().await.len(), 3, "replaced in the step that sees it");
    world.settle().await;
    world.check_rest().await;
    let told = world.events().await;
    let texts: Vec<&str> = told.iter().map(String::as_str).collect();
    assert!(texts[0].starts_with("(service web) has started 3 tasks: (task "), "{texts:?}");
    assert!(texts[1].ends_with("deployment completed."), "{texts:?}");
    assert_eq!(texts[2], "(service web) has reached a steady state.");
    assert!(texts[3].starts_with("(service web) has started 1 tasks: (task "), "{texts:?}");
    assert_eq!(texts[4], "(service web) has reached a steady state.");
    assert_eq!(texts.len(), 5, "{texts:?}");
}

#[tokio::test]
async fn a_bad_release_is_rolled_back_and_a_deleted_service_leaves_nothing() {
    let mut world = World::new(2, 2).await;
    world.settle().await;
    let good: Vec<String> = world.live().await.iter().map(|task| task.id.clone()).collect();
    world.deploy(Release::CannotPull).await;
    world.settle().await;
    world.check_rest().await;
    assert_eq!(world.live().await.iter().map(|task| task.id.clone()).collect::<Vec<_>>(), good);
    let told = world.events().await;
    assert!(told.iter().any(|event| event.contains("rolling back to deployment")), "{told:?}");
    world.delete().await;
    world.settle().await;
    let service = world.service().await;
    assert_eq!(service.status, ServiceStatus::Inactive);
    assert!(world.live().await.is_empty() && world.ledger().await.is_empty());
    world.advance(KEEP_INACTIVE.as_secs());
    world.reconcile_once().await;
    assert_eq!(world.rows().await, 0, "nothing of it is known any more");
}

/// A deployment from its beginning to its end, with every transaction failing once before and once after it is done.
#[tokio::test]
async fn dying_at_any_transaction_changes_nothing_in_the_end() {
    for dies_at in 1.. {
        let mut world = World::new(3, 2).await;
        world.settle().await;
        world.deploy(Release::Good).await;
        world.store.die_at(dies_at);
        world.settle().await;
        world.check_rest().await;
        assert_eq!(world.service().await.deployments[0].workload.revision, 2);
        if !world.store.died() {
            assert!(dies_at > 6, "three transactions, each before and after: {dies_at}");
            return;
        }
    }
}

#[tokio::test]
async fn rules_of_load_balancers_are_written_with_the_step_that_shifts_traffic() {
    let mut world = World::new(5, 2).await;
    world.settle().await;
    world.shift(Strategy::Linear).await;
    assert_eq!(world.weights().await, (vec![1], vec![1]), "they are the user's until traffic is shifted");
    world.deploy(Release::Checked).await;
    let mut seen = Vec::new();
    for _ in 0..400 {
        world.reconcile().await;
        world.move_all().await;
        let weights = world.weights().await;
        if seen.last() != Some(&weights) {
            seen.push(weights);
        }
        world.advance(1);
    }
    let both = |production: [u32; 2], test: [u32; 2]| (production.to_vec(), test.to_vec());
    assert_eq!(
        seen,
        [
            (vec![1], vec![1]),
            both([745, 255], [0, 100]),
            both([49, 51], [0, 100]),
            both([235, 765], [0, 100]),
            both([0, 100], [0, 100]),
        ]
    );
    world.settle().await;
    world.check_rest().await;
    let own = world.service().await.deployments[0].clone();
    assert!(own.target_group_of(&own.workload.load_balancers[0]).ends_with("targetgroup/b/1"));
}

/// Deployments that shift traffic, with every transaction failing once before and once after it is done.
#[tokio::test]
async fn dying_in_the_middle_of_a_shift_changes_nothing_in_the_end() {
    for dies_at in 1.. {
        let mut world = World::new(7, 2).await;
        world.settle().await;
        world.shift(Strategy::BlueGreen).await;
        world.deploy(Release::Good).await;
        world.store.die_at(dies_at);
        world.settle().await;
        world.check_rest().await;
        assert_eq!(world.weights().await, (vec![0, 100], vec![0, 100]));
        if !world.store.died() {
            assert!(dies_at > 6, "{dies_at}");
            return;
        }
    }
}

/// A deployment that an alarm makes fail, with every transaction failing once before and once after it is done.
#[tokio::test]
async fn dying_while_an_alarm_is_heeded_changes_nothing_in_the_end() {
    for dies_at in 1.. {
        let mut world = World::new(9, 2).await;
        world.settle().await;
        world.watch_alarm(true).await;
        world.deploy(Release::Good).await;
        for _ in 0..3 {
            world.reconcile().await;
            world.move_all().await;
        }
        world.set_alarm(StateValue::Alarm).await;
        world.store.die_at(dies_at);
        world.settle().await;
        world.check_rest().await;
        let record = world.record().await;
        assert_eq!(record.status, ServiceDeploymentStatus::RollbackSuccessful);
        assert_eq!(record.alarms.triggered, ["hot"]);
        assert_eq!(world.service().await.deployments[0].workload.revision, 1);
        if !world.store.died() {
            assert!(dies_at > 4, "{dies_at}");
            return;
        }
    }
}

/// The controller learns of an alarm by its change, and only services whose deployments watch it are looked at.
#[tokio::test]
async fn an_alarm_that_changes_nudges_who_watches_it() {
    let mut world = World::new(10, 1).await;
    world.settle().await;
    world.watch_alarm(true).await;
    world.deploy(Release::Good).await;
    let queue = Queue::new();
    let controller = ServiceController::new(world.tables.clone(), region(), queue.clone());
    let key = world.service().await.key();
    assert!(controller.watched.by("123456789012/hot").is_empty(), "nobody was observed yet");
    controller.reconcile(&key).await.expect("reconciles");
    assert_eq!(controller.watched.by("123456789012/hot"), [key.as_str()]);
    assert!(controller.watched.by("123456789012/cold").is_empty());
    world.settle().await;
    controller.reconcile(&key).await.expect("reconciles");
    assert!(controller.watched.by("123456789012/hot").is_empty(), "the deployment is over");
}

/// One schedule of chance over the store: faults, updates, deaths and time, then peace.
async fn schedule(seed: u64) {
    let mut world = World::new(seed, 0).await;
    let kinds = [Strategy::Rolling, Strategy::BlueGreen, Strategy::Linear, Strategy::Canary];
    let kind = kinds[world.below(4) as usize];
    if kind != Strategy::Rolling {
        world.shift(kind).await;
    }
    if world.below(2) == 0 {
        let rollback = world.below(3) > 0;
        world.watch_alarm(rollback).await;
    }
    let steps = world.below(60) + 20;
    for _ in 0..steps {
        match world.below(100) {
            0..=3 => {
                let releases = [
                    Release::Good,
                    Release::Checked,
                    Release::Crashing,
                    Release::NeverHealthy,
                    Release::CannotPull,
                ];
                let release = releases[world.below(5) as usize];
                world.deploy(release).await;
            }
            4..=6 => {
                let count = world.below(6) as u32;
                world.change(|service| service.desired_count = count).await;
            }
            7 => world.change(|service| service.stop_requested = Some(StopType::Rollback)).await,
            8 => world.set_alarm(StateValue::Alarm).await,
            9 => world.set_alarm(StateValue::Ok).await,
            10..=20 => {
                let seconds = world.below(4);
                world.advance(seconds);
            }
            21 => {
                let seconds = world.below(4000);
                world.advance(seconds);
            }
            22..=27 => {
                let point = world.below(4) as usize + 1;
                world.store.die_at(point);
                world.reconcile().await;
            }
            28..=55 => world.reconcile().await,
            56..=58 => world.reap().await,
            _ => {
                let crash = world.below(10) == 0;
                world.move_one(crash).await;
            }
        }
        world.check_ledger().await;
    }
    world.set_alarm(StateValue::Ok).await;
    world.change(|service| service.deployment_configuration.maximum_percent = 200).await;
    world.deploy(Release::Checked).await;
    world.settle().await;
    world.check_rest().await;
}

#[tokio::test]
async fn schedules_of_chance_keep_the_promises_and_come_to_rest() {
    for seed in 0..40 {
        schedule(seed).await;
    }
}

#[tokio::test]
async fn what_a_service_uses_is_not_removed() {
    let mut world = World::new(4, 1).await;
    world.settle().await;
    world.deploy(Release::CannotPull).await;
    world.settle().await;
    let service = world.service().await;
    assert!(service.uses("web", 1), "it may be rolled back to");
    assert!(!service.uses("web", 7));
    world.deploy(Release::Good).await;
    world.settle().await;
    let service = world.service().await;
    assert!(!service.uses("web", 1) && service.uses("web", 3));
    assert_eq!(service.deployments[0].rollout, RolloutState::Completed);
}
