//! Deployments as they are meant to go, and thousands of schedules in which they do not.

mod alarms;
mod shifting;

use crate::testing::{Chance, Release, SETTLE, World, schedules};
use crate::*;
use resources::ecs::{ServiceDeploymentStatus, StopType};

fn running(world: &World) -> usize {
    world.running()
}

fn of_primary(world: &World) -> usize {
    world.members.iter().filter(|member| member.deployment == world.service.deployments[0].id).count()
}

#[test]
fn a_new_service_starts_its_tasks_and_tells() {
    let mut world = World::new(2, 100, 200);
    world.settle();
    assert!(world.is_at_rest());
    assert_eq!(
        world.events,
        [
            "(service web) has started 2 tasks: (task t1) (task t2).",
            "(service web) (deployment ecs-svc/1) deployment completed.",
            "(service web) has reached a steady state.",
        ]
    );
    let record = world.record.as_ref().expect("a record");
    assert_eq!(record.status, ServiceDeploymentStatus::Successful);
}

#[test]
fn a_crashed_task_is_replaced_at_once() {
    let mut world = World::new(2, 100, 200);
    world.settle();
    world.advance(0, true);
    world.step();
    assert_eq!(world.live(), 2, "in the very plan that sees it");
    world.settle();
    assert!(world.is_at_rest());
    assert_eq!(world.events.last().map(String::as_str), Some("(service web) has reached a steady state."));
}

#[test]
fn limits_decide_how_a_deployment_rolls() {
    // Desired, minimum, maximum; fewest that run and most that live on the way.
    for (desired, minimum, maximum, fewest, most) in [
        (4, 100, 200, 4, 8),
        (4, 50, 100, 2, 4),
        (4, 100, 150, 4, 6),
        (1, 0, 100, 0, 1),
        (10, 90, 110, 9, 11),
    ] {
        let mut world = World::new(desired, minimum, maximum);
        world.settle();
        world.deploy(Release::Good);
        let (mut low, mut high) = (usize::MAX, 0);
        for _ in 0..200 {
            world.step();
            (low, high) = (low.min(running(&world)), high.max(world.live()));
            for index in 0..world.members.len() {
                world.advance(index, false);
            }
            world.now = world.now + Duration::from_secs(1);
        }
        assert_eq!((low, high), (fewest, most), "{desired} {minimum} {maximum}");
        world.settle();
        assert!(world.is_at_rest());
    }
}

#[test]
fn limits_without_room_are_told_of_once() {
    let mut world = World::new(1, 100, 100);
    world.settle();
    world.deploy(Release::Good);
    world.settle();
    assert_eq!(world.service.deployments.len(), 2);
    let told = world.events.iter().filter(|event| event.contains("minimumHealthyPercent")).count();
    assert_eq!(told, 1);
    world.service.deployment_configuration.maximum_percent = 200;
    world.settle();
    assert!(world.is_at_rest());
}

#[test]
fn bad_releases_are_rolled_back_and_the_good_tasks_stay() {
    for release in [Release::Crashing, Release::NeverHealthy, Release::CannotPull] {
        let mut world = World::new(4, 100, 200);
        world.service.deployment_configuration.breaker = true;
        world.service.deployment_configuration.rollback = true;
        world.settle();
        let first: Vec<String> = world.members.iter().map(|member| member.task.clone()).collect();
        world.deploy(release);
        for _ in 0..100 {
            world.plan_out();
            for index in 0..world.members.len() {
                world.advance(index, false);
            }
            world.now = world.now + Duration::from_secs(1);
            assert!(running(&world) >= 4);
        }
        world.settle();
        assert!(world.is_at_rest(), "{release:?} {:?} {:?}", world.service, world.members);
        let left: Vec<String> = world.members.iter().map(|member| member.task.clone()).collect();
        assert_eq!(left, first, "not one of them was restarted");
        assert_eq!(world.service.deployments[0].id, "ecs-svc/1");
        let record = world.record.as_ref().expect("a record");
        assert_eq!(record.status, ServiceDeploymentStatus::RollbackSuccessful);
        assert_eq!(record.rollback.as_ref().map(|back| back.service_revision.as_str()), Some("s1"));
        assert!(record.triggered && record.failures == (3, 3) || record.failures.0 >= 3, "{record:?}");
        let told = |text: &str| world.events.iter().any(|event| event.contains(text));
        assert!(told("(deployment ecs-svc/2) deployment failed: tasks failed"));
        assert!(told("rolling back to deployment ecs-svc/1."));
    }
}

#[test]
fn without_rollback_a_failed_deployment_stays_and_starts_nothing() {
    let mut world = World::new(2, 100, 200);
    world.service.deployment_configuration.breaker = true;
    world.settle();
    world.deploy(Release::CannotPull);
    world.settle();
    let primary = &world.service.deployments[0];
    assert_eq!(primary.rollout, RolloutState::Failed);
    assert_eq!(primary.rollout_reason, "ECS deployment circuit breaker: tasks failed to start.");
    assert_eq!((of_primary(&world), running(&world)), (0, 2));
    assert_eq!(world.record.as_ref().map(|r| r.status), Some(ServiceDeploymentStatus::Stopped));
    world.deploy(Release::Good);
    world.settle();
    assert!(world.is_at_rest());
}

#[test]
fn tasks_that_fail_again_and_again_are_started_ever_more_slowly() {
    let mut world = World::new(3, 100, 200);
    world.settle();
    world.deploy(Release::CannotPull);
    let began = world.now;
    let mut starts = Vec::new();
    for _ in 0..7200 {
        let before = world.events.len();
        world.plan_out();
        if world.events[before..].iter().any(|event| event.contains("has started")) {
            starts.push(world.now.since(began).as_secs());
        }
        for index in 0..world.members.len() {
            world.advance(index, false);
        }
        world.now = world.now + Duration::from_secs(1);
    }
    assert_eq!(starts, [0, 1, 2, 4, 7, 12, 21, 38, 71, 136, 265, 522, 1035, 2060, 3681, 5302, 6923]);
    let told = world.events.iter().filter(|event| event.contains("unable to consistently start")).count();
    assert_eq!(told, 1, "in less than six hours");
    assert_eq!(running(&world), 3, "what works is left alone");
}

#[test]
fn a_service_whose_tasks_find_no_room_tells_once_and_goes_on_waiting() {
    let mut world = World::new(2, 100, 200);
    world.step();
    for member in &mut world.members {
        member.not_placed = Some("Capacity is unavailable at this time".to_owned());
    }
    world.step();
    world.step();
    let told = "(service web) was unable to place a task. Reason: Capacity is unavailable at this time. For more \
                information, see the Troubleshooting section of the Amazon ECS Developer Guide.";
    assert_eq!(world.events[1..], [told]);
    assert_eq!((world.live(), world.service.deployments[0].failed_tasks), (2, 0), "waiting is no failure");
    for member in &mut world.members {
        member.not_placed = None;
    }
    world.settle();
    assert!(world.is_at_rest());
}

#[test]
fn scaling_leaves_protected_tasks_until_their_time_is_over() {
    let mut world = World::new(4, 100, 200);
    world.settle();
    let until = world.now + Duration::from_secs(600);
    for member in &mut world.members[..3] {
        member.protected_until = Some(until);
    }
    world.service.desired_count = 2;
    for _ in 0..5 {
        world.plan_out();
        for index in 0..world.members.len() {
            world.advance(index, false);
        }
    }
    assert_eq!(world.live(), 3);
    assert!(
        world.events.iter().any(|event| event.contains("1 tasks under protection")),
        "{:?}",
        world.events
    );
    world.now = until;
    world.settle();
    assert!(world.is_at_rest());
}

#[test]
fn tasks_at_rest_are_evened_out_over_zones_one_after_the_other() {
    let mut world = World::new(5, 100, 200);
    world.zones = ["a", "b", "c"].map(str::to_owned).to_vec();
    world.settle();
    for member in &mut world.members {
        member.zone = Some("a".to_owned());
    }
    let mut most = 0;
    for _ in 0..300 {
        world.step();
        most = most.max(world.live());
        assert!(running(&world) >= 5, "what is moved is started first");
        for index in 0..world.members.len() {
            world.advance(index, false);
        }
        world.now = world.now + Duration::from_secs(1);
    }
    assert!(world.is_at_rest());
    assert_eq!(["a", "b", "c"].map(|zone| world.in_zone(zone)), [2, 2, 1]);
    assert_eq!(most, 6);
    let told: Vec<&str> =
        world.events.iter().filter(|event| event.contains("AZ")).map(String::as_str).collect();
    let first =
        "(service web) is not AZ balanced with 5 tasks in a, 0 in b, and 0 in c. AZ Rebalancing in progress.";
    assert_eq!((told.len(), told[0]), (3, first));
    world.service.desired_count = 3;
    world.settle();
    assert_eq!(["a", "b", "c"].map(|zone| world.in_zone(zone)), [1, 1, 1], "the fullest zones lose theirs");
}

#[test]
fn what_cannot_or_shall_not_be_evened_out_is_left_alone() {
    for what in 0..4 {
        let mut world = World::new(4, 50, if what == 0 { 100 } else { 200 });
        world.settle();
        for member in &mut world.members {
            member.zone = Some("a".to_owned());
        }
        world.zones = if what == 1 { vec![] } else { vec!["a".to_owned(), "b".to_owned()] };
        world.service.zone_rebalancing = what != 2;
        if what == 3 {
            world.members[0].protected_until = Some(world.now + Duration::from_secs(100_000));
        }
        let before = world.events.len();
        world.settle();
        assert_eq!(world.events.len(), before, "{what}");
    }
}

#[test]
fn a_deployment_is_stopped_on_request() {
    for (stop, status) in [
        (StopType::Rollback, ServiceDeploymentStatus::RollbackSuccessful),
        (StopType::Abort, ServiceDeploymentStatus::Stopped),
    ] {
        let mut world = World::new(2, 100, 200);
        world.settle();
        world.deploy(Release::NeverHealthy);
        world.plan_out();
        world.service.stop_requested = Some(stop);
        world.settle();
        assert_eq!(world.record.as_ref().map(|record| record.status), Some(status));
        assert_eq!(running(&world), 2);
        assert_eq!(world.is_at_rest(), stop == StopType::Rollback);
    }
}

#[test]
fn a_deleted_service_goes_with_its_last_task() {
    let mut world = World::new(3, 100, 200);
    world.settle();
    world.members[0].protected_until = Some(world.now + Duration::from_secs(10_000));
    world.service.status = ServiceStatus::Draining;
    world.plan_out();
    assert_eq!((world.live(), world.service.status), (0, ServiceStatus::Draining));
    world.settle();
    assert_eq!(world.service.status, ServiceStatus::Inactive);
    assert!(world.members.is_empty());
}

#[test]
fn failing_checks_do_not_count_in_the_grace_period() {
    let mut world = World::new(1, 100, 200);
    world.service.health_check_grace_period = Some(60);
    world.deploy(Release::NeverHealthy);
    world.plan_out();
    for _ in 0..2 {
        world.advance(0, false);
        world.plan_out();
    }
    assert_eq!(world.members.len(), 1);
    assert_eq!(world.service.deployments[0].failed_tasks, 0);
    world.now = world.now + Duration::from_secs(60);
    world.plan_out();
    assert_eq!(world.members.len(), 2, "its replacement is started first");
    assert_eq!(world.service.deployments[0].failed_tasks, 1);
}

#[test]
fn a_clock_that_is_put_back_makes_nothing_wait_for_long() {
    let mut world = World::new(2, 100, 200);
    world.settle();
    world.deploy(Release::Good);
    world.plan_out();
    for index in 0..world.members.len() {
        world.advance(index, false);
    }
    world.now = world.now - Duration::from_secs(100_000);
    world.settle();
    assert!(world.is_at_rest());
    assert!(SETTLE < Duration::from_secs(6));
}

/// One schedule of chance: faults, updates and time, then peace.
fn schedule(seed: u64) {
    let mut chance = Chance::new(seed);
    let desired = chance.below(8) as u32;
    let (minimum, maximum) =
        [(100, 200), (50, 100), (0, 100), (50, 200), (100, 150), (75, 125)][chance.below(6) as usize];
    let mut world = World::new(desired, minimum, maximum);
    world.service.deployment_configuration.breaker = chance.percent(50);
    world.service.deployment_configuration.rollback = chance.percent(70);
    if chance.percent(50) {
        world.watch_alarms(&["hot"], chance.percent(70));
    }
    for _ in 0..chance.below(150) + 20 {
        match chance.below(100) {
            0..=3 => {
                let releases = [
                    Release::Good,
                    Release::Checked,
                    Release::Crashing,
                    Release::NeverHealthy,
                    Release::CannotPull,
                ];
                world.deploy(releases[chance.below(5) as usize]);
            }
            4..=6 => world.service.desired_count = chance.below(8) as u32,
            7 => world.service.stop_requested = Some(StopType::Rollback),
            8 if !world.members.is_empty() => {
                let index = chance.below(world.members.len() as u64) as usize;
                let until = world.now + Duration::from_secs(chance.below(100));
                if matches!(world.members[index].sight, Sight::Running { .. }) {
                    world.members[index].protected_until = Some(until);
                }
            }
            9 => world.now = world.now - Duration::from_secs(chance.below(4000)),
            10 => world.now = world.now + Duration::from_secs(chance.below(4000)),
            11 => world.set_alarms(true),
            12 => world.set_alarms(false),
            13..=30 => world.now = world.now + Duration::from_secs(chance.below(4)),
            31..=60 => {
                world.step();
            }
            _ => {
                let crash = chance.percent(10);
                if !world.members.is_empty() {
                    let index = chance.below(world.members.len() as u64) as usize;
                    world.advance(index, crash);
                }
            }
        }
    }
    // Peace: alarms and protection end, and the newest release is one that works.
    world.now = world.now + Duration::from_secs(10_000);
    world.set_alarms(false);
    world.settle();
    let (limits, desired) = (world.service.deployment_configuration.clone(), world.service.desired_count);
    let has_room = limits.maximum(desired) > desired || limits.minimum(desired) < desired;
    let is_given_up = world.service.deployments[0].rollout == RolloutState::Failed;
    let release = world.releases[&world.service.deployments[0].workload.revision];
    let works = matches!(release, Release::Good | Release::Checked);
    assert!(
        world.is_at_rest() || is_given_up || !works || !has_room,
        "seed {seed}: {:?} {:?}",
        world.service,
        world.members
    );
    // Whatever limits there were may have left no room; with room, a release that works always comes to rest.
    world.service.deployment_configuration.maximum_percent = 200;
    world.deploy(Release::Checked);
    world.settle();
    assert!(world.is_at_rest(), "seed {seed}: {:?} {:?}", world.service, world.members);
    assert!(world.service.notices.is_empty(), "what is over is not remembered");
}

#[test]
fn thousands_of_schedules_keep_the_promises_and_come_to_rest() {
    for seed in 0..schedules() {
        schedule(seed);
    }
}
