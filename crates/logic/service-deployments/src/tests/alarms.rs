//! Alarms that make deployments fail, of every kind.

use super::*;
use crate::testing::ALARM_SPAN;
use resources::ecs::{LifecycleStage, Strategy, TrafficStep};

/// A service at rest whose next deployment is of this kind and watches two alarms.
fn world(strategy: Strategy, rollback: bool) -> World {
    let mut world = World::new(2, 100, 200);
    world.settle();
    world.service.deployment_configuration.strategy = strategy;
    world.service.deployment_configuration.linear = Some(TrafficStep { share: 500, bake_minutes: 2 });
    world.service.deployment_configuration.canary = Some(TrafficStep { share: 50, bake_minutes: 2 });
    world.watch_alarms(&["hot", "slow"], rollback);
    world
}

/// Goes on for so many seconds, one at a time.
fn watch(world: &mut World, seconds: u64) {
    for _ in 0..seconds {
        world.plan_out();
        for index in 0..world.members.len() {
            world.advance(index, false);
        }
        world.now = world.now + Duration::from_secs(1);
    }
}

fn status(world: &World) -> ServiceDeploymentStatus {
    world.record.as_ref().expect("a record").status
}

#[test]
fn a_deployment_of_any_kind_goes_back_when_an_alarm_goes_off() {
    for strategy in [Strategy::Rolling, Strategy::BlueGreen, Strategy::Linear, Strategy::Canary] {
        // On the way, and when all is done but the waiting.
        for seconds in [4, 30, 55] {
            let mut world = world(strategy, true);
            world.deploy(Release::Checked);
            watch(&mut world, seconds);
            world.alarms[1].is_off = true;
            world.step();
            assert_ne!(status(&world), ServiceDeploymentStatus::InProgress, "{strategy:?} {seconds}");
            assert_eq!(world.service.deployments[0].id, "ecs-svc/1");
            watch(&mut world, 60);
            assert!(world.is_at_rest(), "{strategy:?} {seconds}: the alarm does not matter on the way back");
            let record = world.record.as_ref().expect("a record");
            assert_eq!(record.status, ServiceDeploymentStatus::RollbackSuccessful);
            assert_eq!(record.alarms.triggered, ["slow"]);
            assert!(!record.triggered, "that is the circuit breaker's");
            let told: Vec<&str> = world.events.iter().map(String::as_str).collect();
            assert!(
                told.contains(&"(service web) (deployment ecs-svc/2) deployment failed: alarm detected.")
                    && told.contains(&"(service web) rolling back to deployment ecs-svc/1."),
                "{told:?}"
            );
        }
    }
}

#[test]
fn without_rollback_or_anything_to_go_back_to_the_deployment_stays_failed() {
    let mut first = World::new(2, 100, 200);
    first.watch_alarms(&["hot"], true);
    first.deploy(Release::Good);
    let mut later = world(Strategy::Rolling, false);
    later.deploy(Release::Good);
    for mut world in [first, later] {
        watch(&mut world, 3);
        world.set_alarms(true);
        world.settle();
        assert_eq!(world.service.deployments[0].rollout, RolloutState::Failed);
        assert_eq!(world.service.deployments[0].rollout_reason, "ECS deployment alarm: alarm detected.");
        assert_eq!(status(&world), ServiceDeploymentStatus::Stopped);
        world.set_alarms(false);
        world.deploy(Release::Good);
        world.settle();
        assert!(world.is_at_rest());
    }
}

#[test]
fn a_rolling_deployment_is_done_when_its_alarms_had_the_time_to_go_off() {
    let mut world = world(Strategy::Rolling, true);
    world.deploy(Release::Checked);
    watch(&mut world, 30);
    let baking = world.record.as_ref().and_then(|record| record.alarms.baking_since).expect("it bakes");
    assert_eq!((of_primary(&world), world.live()), (2, 2));
    let shown: Vec<_> = world.service.deployments.iter().map(|own| own.id.as_str()).collect();
    assert_eq!(shown, ["ecs-svc/2", "ecs-svc/1"], "the one to go back to stays until then");
    assert!(!world.service.steady);
    let left = (baking + ALARM_SPAN).since(world.now);
    watch(&mut world, left.as_secs());
    assert_eq!(status(&world), ServiceDeploymentStatus::InProgress);
    watch(&mut world, 1);
    assert_eq!(status(&world), ServiceDeploymentStatus::Successful);
    assert!(world.is_at_rest());
    // What is over is not watched any more.
    world.set_alarms(true);
    world.settle();
    assert!(world.is_at_rest());
}

#[test]
fn a_shift_bakes_as_long_as_told_or_as_long_as_its_alarms_take() {
    for (minutes, least) in [(Some(3), 180), (Some(0), 0), (None, 60)] {
        let mut world = world(Strategy::BlueGreen, true);
        world.service.deployment_configuration.bake_minutes = minutes;
        world.deploy(Release::Good);
        let mut baked = 0;
        for _ in 0..400 {
            watch(&mut world, 1);
            baked += u64::from(world.stage().is_some_and(|stage| stage.0 == LifecycleStage::BakeTime));
        }
        assert_eq!(baked, least, "{minutes:?}");
        assert!(world.is_at_rest());
    }
}

#[test]
fn alarms_that_had_gone_off_before_are_not_watched_and_missing_ones_say_nothing() {
    let mut world = world(Strategy::Rolling, true);
    world.alarms[0].is_off = true;
    world.deploy(Release::Checked);
    watch(&mut world, 3);
    world.alarms[1].is_off = true;
    watch(&mut world, 20);
    assert_eq!(status(&world), ServiceDeploymentStatus::Successful);
    assert!(world.record.as_ref().is_some_and(|record| record.alarms.ignored));
    world.alarms.clear();
    world.deploy(Release::Good);
    watch(&mut world, 20);
    assert_eq!(status(&world), ServiceDeploymentStatus::Successful);
}
