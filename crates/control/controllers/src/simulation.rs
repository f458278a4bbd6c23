//! Services of every kind through faults of every kind: the real controllers over a store in memory, with simulated time,
//! simulated hosts and a simulated data plane.
//!
//! A schedule is made by chance from its seed. While it suffers, controllers run in any order and are killed in the middle of
//! their work; transactions fail, or succeed without an answer, or come too late; watches are lost; the clock is set; subnets
//! are full; hosts lose their agents; alarms go off; releases crash, never get healthy or cannot be pulled; and users deploy, scale, stop,
//! delete. Then there is peace, and what was promised is there in time: the newest release that works, as many tasks as
//! wanted, their addresses, targets and instances, and nothing else. At every moment in between nothing is orphaned, and where no good task
//! crashes the minimum of healthy tasks holds.
//!
//! `SERVICE_SCHEDULES=5000 cargo test -p controllers simulation` tries that many; `SERVICE_SEED=17` begins with that one. A
//! failure shows its seed and what happened; it is kept in [`KEPT`].

mod chance;
mod faulty_store;
mod host;
mod plane;
mod process;
mod promises;
mod rows;
mod users;
mod world;

use promises::IN_TIME;
use resources::cloudwatch::StateValue;
use std::time::Duration;
use world::{Kind, Release, World};

/// Schedules that are tried when nothing else is said.
const SCHEDULES: u64 = 60;
/// Schedules that once failed: functions that were not called for a day after the clock was put back, and a target that
/// was removed with the last task at its address although the next one was registered there.
const KEPT: [u64; 3] = [2967, 4203, 4918];
/// As long as releases that do not work are watched.
const WATCHED: Duration = Duration::from_secs(3 * 3600);

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

async fn schedule(seed: u64) {
    let mut world = World::new(seed).await;
    if world.is_calm || world.chance.percent(50) {
        world.settle(IN_TIME).await;
    }
    world.suffer().await;
    world.make_peace().await;
    if world.chance.percent(30) {
        world.settle(WATCHED).await;
        world.check_placed().await;
    }
    world.empty_subnets().await;
    world.settle(WATCHED).await;
    world.check_converged().await;
    if world.kind == Kind::External {
        deploy_by_task_sets(&mut world).await;
    } else {
        world.deploy_the_last().await;
        world.settle(IN_TIME).await;
    }
    world.check_rest().await;
    if world.kind != Kind::External && world.chance.percent(30) {
        deploy_into_an_alarm(&mut world).await;
    } else {
        world.check_unused_definitions().await;
    }
    if world.chance.percent(30) {
        world.delete().await;
        world.settle(IN_TIME).await;
        world.check_gone().await;
    }
}

/// What a deployer outside does: a new task set beside the others, then the others go.
async fn deploy_by_task_sets(world: &mut World) {
    world.create_task_set(Release::Checked, 10_000).await;
    world.settle(IN_TIME).await;
    let newest = world.service().await.deployments.len() - 1;
    world.make_primary(newest).await;
    for which in 1..=newest {
        world.delete_task_set(which).await;
    }
    world.settle(IN_TIME).await;
}

/// An alarm goes off while a deployment that watches it is under way. Nobody looks at the service but for the alarm.
async fn deploy_into_an_alarm(world: &mut World) {
    let before = world.service().await.deployments[0].workload.revision;
    let rollback = world.chance.percent(70);
    world.deploy_watched(rollback).await;
    // It has begun then, and its alarm has not had its time.
    let seconds = world.chance.below(24) + 1;
    world.settle(Duration::from_secs(seconds)).await;
    world.set_alarm(StateValue::Alarm).await;
    world.settle(IN_TIME).await;
    world.check_failed_by_alarm(before).await;
    world.set_alarm(StateValue::Ok).await;
}

#[tokio::test]
async fn whatever_fails_services_keep_their_promises_and_come_to_rest_in_time() {
    let first = number("SERVICE_SEED").unwrap_or(0);
    let count = number("SERVICE_SCHEDULES").unwrap_or(SCHEDULES);
    for seed in (first..first + count).chain(KEPT) {
        schedule(seed).await;
    }
}
