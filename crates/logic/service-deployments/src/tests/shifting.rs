//! Blue/green, linear and canary: the stages, the hooks, and every way back.

use super::*;
use resources::ecs::{
    HookAction, HookStatus, HookTarget, LifecycleHook, LifecycleStage as Stage, ServiceConnect,
    ServiceDeploymentStatus, Strategy, TrafficStep,
};

fn world(strategy: Strategy, desired: u32) -> World {
    let mut world = World::new(desired, 100, 200);
    world.settle();
    let configuration = &mut world.service.deployment_configuration;
    configuration.strategy = strategy;
    configuration.bake_minutes = Some(5);
    configuration.linear = Some(TrafficStep { share: 250, bake_minutes: 2 });
    configuration.canary = Some(TrafficStep { share: 50, bake_minutes: 10 });
    world
}

fn hook(stages: &[Stage], target: HookTarget) -> LifecycleHook {
    LifecycleHook {
        target,
        stages: stages.to_vec(),
        details: None,
        timeout_minutes: Some(60),
        on_timeout: HookAction::Rollback,
    }
}

fn function(stages: &[Stage]) -> LifecycleHook {
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:check".to_owned();
    hook(stages, HookTarget::Function { arn, role: String::new() })
}

/// Goes on for so many seconds, one at a time, and returns what stages and weights were seen.
fn watch(world: &mut World, seconds: u64) -> Vec<(Stage, u32, u32)> {
    let mut seen = Vec::new();
    for _ in 0..seconds {
        // One step at a time, so that nothing passes unseen but what passes within a plan.
        world.step();
        if let Some(stage) = world.stage()
            && seen.last() != Some(&stage)
        {
            seen.push(stage);
        }
        for index in 0..world.members.len() {
            world.advance(index, false);
        }
        world.now = world.now + Duration::from_secs(1);
    }
    seen
}

#[test]
fn blue_green_runs_both_revisions_and_moves_all_traffic_at_once() {
    let mut world = world(Strategy::BlueGreen, 3);
    let first: Vec<String> = world.members.iter().map(|member| member.task.clone()).collect();
    world.deploy(Release::Checked);
    let seen = watch(&mut world, 60);
    assert_eq!(seen, [(Stage::ScaleUp, 0, 0), (Stage::BakeTime, 1000, 1000)]);
    assert_eq!(world.live(), 6, "both revisions, whatever the maximum");
    assert!(world.service.deployments[0].alternate && !world.service.deployments[1].alternate);
    let seen = watch(&mut world, 300);
    assert_eq!(seen.last(), Some(&(Stage::BakeTime, 1000, 1000)), "what comes then takes no time");
    world.settle();
    assert!(world.is_at_rest());
    assert!(world.members.iter().all(|member| !first.contains(&member.task)));
    let record = world.record.as_ref().expect("a record");
    assert_eq!(record.status, ServiceDeploymentStatus::Successful);
    assert_eq!(record.lifecycle.as_ref().map(|own| own.stage), Some(Stage::CleanUp));
    assert_eq!(world.service.alternate_share().production, 1000, "and there it stays");
    // The next one goes back to the first side.
    world.deploy(Release::Good);
    watch(&mut world, 30);
    assert_eq!(world.service.alternate_share().production, 0);
    assert_eq!(world.stage().map(|stage| stage.1), Some(1000));
    world.settle();
    assert!(world.is_at_rest());
}

#[test]
fn what_proxies_have_sent_to_blue_is_answered_before_its_tasks_stop() {
    for hook in [HookStatus::Succeeded, HookStatus::Failed] {
        let mut world = world(Strategy::BlueGreen, 2);
        world.service.deployment_configuration.bake_minutes = Some(0);
        world.service.deployment_configuration.hooks = vec![function(&[Stage::PostProductionTrafficShift])];
        world.deploy(Release::Good);
        let connect = ServiceConnect {
            namespace: "ns-1".into(),
            namespace_name: "inside".into(),
            given: "inside".into(),
            services: vec![],
            logs: None,
        };
        for own in &mut world.service.deployments {
            own.workload.connect = Some(connect.clone());
        }
        watch(&mut world, 30);
        assert_eq!(world.stage(), Some((Stage::PostProductionTrafficShift, 1000, 1000)));
        world.answer_hooks(hook);
        let share = if hook == HookStatus::Succeeded { 1000 } else { 0 };
        watch(&mut world, 2);
        assert_eq!(world.stage(), Some((Stage::CleanUp, share, share)));
        assert_eq!(world.live(), 4, "they are told at this moment");
        watch(&mut world, 3);
        assert_eq!(world.live(), 2);
        world.settle();
        assert!(world.is_at_rest());
    }
}

#[test]
fn linear_and_canary_move_traffic_in_steps() {
    for (strategy, expected) in [
        (Strategy::Linear, vec![250, 500, 750, 1000]),
        (Strategy::Canary, vec![50, 1000]),
        (Strategy::BlueGreen, vec![1000]),
    ] {
        let mut world = world(strategy, 2);
        world.deploy(Release::Good);
        let seen = watch(&mut world, 1200);
        let mut shares: Vec<u32> = seen.iter().map(|stage| stage.1).filter(|share| *share > 0).collect();
        shares.dedup();
        assert_eq!(shares, expected);
        world.settle();
        assert!(world.is_at_rest());
    }
}

#[test]
fn a_stage_waits_for_its_hooks_and_a_hook_that_fails_undoes_the_deployment() {
    let stages = [Stage::PreScaleUp, Stage::PostTestTrafficShift, Stage::ProductionTrafficShift];
    for stage in stages {
        let mut world = world(Strategy::BlueGreen, 2);
        world.service.deployment_configuration.hooks = vec![function(&[stage])];
        let first: Vec<String> = world.members.iter().map(|member| member.task.clone()).collect();
        world.deploy(Release::Good);
        watch(&mut world, 30);
        assert_eq!(world.stage().map(|seen| seen.0), Some(stage), "it waits there");
        let record = world.record.as_ref().and_then(|record| record.lifecycle.clone()).expect("is told");
        assert_eq!(record.hooks.len(), 1);
        world.answer_hooks(HookStatus::Failed);
        world.settle();
        assert!(world.is_at_rest(), "{stage:?} {:?}", world.service);
        let left: Vec<String> = world.members.iter().map(|member| member.task.clone()).collect();
        assert_eq!(left, first, "blue was never touched");
        let record = world.record.as_ref().expect("a record");
        assert_eq!(record.status, ServiceDeploymentStatus::RollbackSuccessful);
        assert_eq!(world.service.alternate_share().production, 0);
        assert_eq!(world.service.alternate_share().test, 0);
    }
}

#[test]
fn hooks_are_asked_once_for_every_step_and_again_on_the_way_back() {
    let mut world = world(Strategy::Linear, 1);
    world.service.deployment_configuration.hooks = vec![function(&[Stage::ProductionTrafficShift])];
    world.deploy(Release::Good);
    let mut asked = Vec::new();
    let mut step = |world: &mut World, status: HookStatus| {
        watch(world, 20);
        let run = world.service.lifecycle.as_ref().and_then(|own| own.hooks.first()).cloned();
        asked.push((run.map(|run| run.id), world.stage().map(|stage| stage.1)));
        world.answer_hooks(status);
    };
    step(&mut world, HookStatus::Succeeded);
    world.now = world.now + Duration::from_secs(120);
    step(&mut world, HookStatus::Failed);
    step(&mut world, HookStatus::Succeeded);
    let told = |id: &str, share| (Some(id.to_owned()), Some(share));
    assert_eq!(asked, [told("h1", 250), told("h2", 500), told("h3", 0)]);
    world.settle();
    assert!(world.is_at_rest());
}

#[test]
fn a_pause_ends_by_an_answer_or_after_its_time() {
    for (answer, on_timeout, status) in [
        (Some(HookStatus::Succeeded), HookAction::Rollback, ServiceDeploymentStatus::Successful),
        (Some(HookStatus::Failed), HookAction::Continue, ServiceDeploymentStatus::RollbackSuccessful),
        (None, HookAction::Continue, ServiceDeploymentStatus::Successful),
        (None, HookAction::Rollback, ServiceDeploymentStatus::RollbackSuccessful),
    ] {
        let mut world = world(Strategy::Canary, 1);
        let pause = hook(&[Stage::PostScaleUp], HookTarget::Pause);
        world.service.deployment_configuration.hooks = vec![LifecycleHook { on_timeout, ..pause }];
        world.deploy(Release::Good);
        watch(&mut world, 30);
        let run = world.service.lifecycle.as_ref().and_then(|own| own.hooks.first()).cloned();
        let run = run.expect("somebody is asked");
        assert_eq!(run.status, HookStatus::AwaitingAction);
        match answer {
            Some(answer) => world.answer_hooks(answer),
            None => world.now = run.expires_at,
        }
        watch(&mut world, 2);
        world.settle();
        assert!(world.is_at_rest());
        assert_eq!(world.record.as_ref().map(|record| record.status), Some(status));
    }
}

#[test]
fn hooks_wait_no_longer_when_the_clock_is_put_back() {
    let mut world = world(Strategy::BlueGreen, 1);
    world.service.deployment_configuration.hooks = vec![function(&[Stage::PostScaleUp])];
    world.deploy(Release::Good);
    watch(&mut world, 30);
    let waits = |world: &World| {
        let run = world.service.lifecycle.as_ref().and_then(|own| own.hooks.first()).expect("is asked");
        (run.next_at.since(world.now).as_secs(), run.expires_at.since(world.now).as_secs())
    };
    world.now = world.now - Duration::from_secs(100_000);
    world.step();
    assert_eq!(waits(&world), (0, 3600));
}

#[test]
fn bad_releases_never_get_traffic_and_are_undone() {
    for strategy in [Strategy::BlueGreen, Strategy::Linear, Strategy::Canary] {
        for release in [Release::Crashing, Release::NeverHealthy, Release::CannotPull] {
            let mut world = world(strategy, 4);
            world.service.deployment_configuration.breaker = true;
            world.service.deployment_configuration.rollback = true;
            world.deploy(release);
            let seen = watch(&mut world, 100);
            assert!(seen.iter().all(|stage| stage.1 == 0 && stage.2 == 0), "{release:?} {seen:?}");
            world.settle();
            assert!(world.is_at_rest());
            let status = world.record.as_ref().map(|record| record.status);
            assert_eq!(status, Some(ServiceDeploymentStatus::RollbackSuccessful));
        }
    }
}

#[test]
fn without_a_breaker_a_day_in_a_stage_undoes_the_deployment() {
    let mut world = world(Strategy::BlueGreen, 1);
    world.deploy(Release::NeverHealthy);
    watch(&mut world, 30);
    assert_eq!(world.stage().map(|stage| stage.0), Some(Stage::ScaleUp));
    world.now = world.now + Duration::from_secs(24 * 3600);
    world.settle();
    assert!(world.is_at_rest());
    let record = world.record.as_ref().expect("a record");
    assert_eq!(record.status, ServiceDeploymentStatus::RollbackSuccessful);
    assert!(record.status_reason.as_ref().is_some_and(|reason| reason.contains("SCALE_UP timed out")));
}

#[test]
fn stopping_takes_the_traffic_back_or_leaves_everything() {
    for (stop, share) in [(StopType::Rollback, 0), (StopType::Abort, 1000)] {
        let mut world = world(Strategy::BlueGreen, 2);
        world.deploy(Release::Good);
        watch(&mut world, 30);
        assert_eq!(world.stage(), Some((Stage::BakeTime, 1000, 1000)));
        world.service.stop_requested = Some(stop);
        watch(&mut world, 30);
        assert_eq!(world.service.alternate_share().production, share);
        assert_eq!(world.live(), if stop == StopType::Rollback { 2 } else { 4 });
        world.deploy(Release::Checked);
        world.settle();
        assert!(world.is_at_rest(), "the next one puts it in order");
    }
}

#[test]
fn a_new_deployment_in_mid_deployment_goes_to_the_side_of_the_one_it_replaces() {
    let mut world = world(Strategy::Linear, 2);
    world.deploy(Release::Good);
    watch(&mut world, 60);
    assert_eq!(world.stage().map(|stage| stage.1), Some(250));
    world.deploy(Release::Checked);
    let seen = watch(&mut world, 3);
    assert_eq!(seen.first().map(|stage| (stage.0, stage.1)), Some((Stage::ReconcileService, 0)));
    assert!(world.service.deployments[0].alternate);
    world.settle();
    assert!(world.is_at_rest());
    assert_eq!(world.service.last_completed.as_ref().map(|own| own.service_revision.as_str()), Some("s3"));
}

#[test]
fn crashes_on_either_side_are_replaced_and_hold_the_traffic_back() {
    let mut world = world(Strategy::Linear, 3);
    world.deploy(Release::Good);
    watch(&mut world, 60);
    assert_eq!(world.stage().map(|stage| stage.1), Some(250));
    let of = |world: &World, index: usize| {
        let id = world.service.deployments[index].id.clone();
        world.members.iter().position(|member| member.deployment == id).expect("a task")
    };
    for side in [0, 1] {
        let index = of(&world, side);
        world.advance(index, true);
        world.step();
        assert_eq!(world.live(), 6, "in the very plan that sees it");
    }
    world.now = world.now + Duration::from_secs(120);
    world.step();
    assert_eq!(world.stage().map(|stage| stage.1), Some(250), "not before all are healthy");
    world.settle();
    assert!(world.is_at_rest());
}

#[test]
fn a_first_deployment_goes_through_its_stages_alone() {
    let mut world = World::new(2, 100, 200);
    world.service.deployment_configuration.strategy = Strategy::Linear;
    if let Some(record) = &mut world.record {
        record.configuration.strategy = Strategy::Linear;
    }
    world.service.deployment_configuration.hooks = vec![];
    let seen = watch(&mut world, 30);
    assert!(seen.contains(&(Stage::ScaleUp, 0, 0)), "{seen:?}");
    world.settle();
    assert!(world.is_at_rest());
    assert!(!world.service.deployments[0].alternate);
    assert_eq!(world.service.alternate_share().production, 0);
}

/// One schedule of chance: any kind of deployment, faults, answers and time, then peace.
fn shifting_schedule(seed: u64) {
    let mut chance = Chance::new(seed ^ 0x5eed);
    let mut world = World::new(chance.below(6) as u32, [100, 50, 0][chance.below(3) as usize], 200);
    let releases =
        [Release::Good, Release::Checked, Release::Crashing, Release::NeverHealthy, Release::CannotPull];
    let kinds = [Strategy::Rolling, Strategy::BlueGreen, Strategy::Linear, Strategy::Canary];
    if chance.percent(50) {
        world.watch_alarms(&["hot", "slow"], chance.percent(70));
    }
    let all = [Stage::ReconcileService, Stage::PreScaleUp, Stage::PostScaleUp, Stage::TestTrafficShift];
    for _ in 0..chance.below(150) + 20 {
        match chance.below(100) {
            0..=4 => {
                let strategy = kinds[chance.below(4) as usize];
                let mut hooks = Vec::new();
                if chance.percent(30) {
                    hooks.push(function(&all[chance.below(4) as usize..]));
                }
                if chance.percent(30) {
                    hooks.push(hook(&[Stage::ProductionTrafficShift], HookTarget::Pause));
                }
                let configuration = &mut world.service.deployment_configuration;
                configuration.strategy = strategy;
                configuration.bake_minutes = Some(chance.below(3) as u32);
                let step = TrafficStep { share: 300, bake_minutes: chance.below(2) as u32 };
                (configuration.linear, configuration.canary) = (Some(step), Some(step));
                configuration.hooks = hooks;
                configuration.breaker = chance.percent(60);
                configuration.rollback = configuration.breaker && chance.percent(70);
                world.deploy(releases[chance.below(5) as usize]);
            }
            5..=7 => world.service.desired_count = chance.below(6) as u32,
            8 => {
                let stop = if chance.percent(70) { StopType::Rollback } else { StopType::Abort };
                world.service.stop_requested = Some(stop);
            }
            9 => world.now = world.now - Duration::from_secs(chance.below(4000)),
            10 => world.now = world.now + Duration::from_secs(chance.below(4000)),
            11..=16 => {
                let status = if chance.percent(85) { HookStatus::Succeeded } else { HookStatus::Failed };
                world.answer_hooks(status);
            }
            17 => world.set_alarms(true),
            18 => world.set_alarms(false),
            19..=32 => world.now = world.now + Duration::from_secs(chance.below(40)),
            33..=62 => {
                world.step();
            }
            _ if world.members.is_empty() => {}
            _ => {
                let crash = chance.percent(8);
                let index = chance.below(world.members.len() as u64) as usize;
                world.advance(index, crash);
            }
        }
    }
    world.now = world.now + Duration::from_secs(10_000);
    world.set_alarms(false);
    world.settle();
    world.service.deployment_configuration.maximum_percent = 200;
    world.service.deployment_configuration.strategy = kinds[chance.below(4) as usize];
    world.deploy(Release::Checked);
    world.settle();
    assert!(world.is_at_rest(), "seed {seed}: {:?} {:?}", world.service, world.members);
    assert!(world.service.lifecycle.is_none() && world.service.notices.is_empty(), "seed {seed}");
    let record = world.record.as_ref().expect("a record");
    assert_eq!(record.status, ServiceDeploymentStatus::Successful, "seed {seed}");
}

#[test]
fn thousands_of_schedules_of_every_kind_keep_the_promises_and_come_to_rest() {
    for seed in 0..schedules() {
        shifting_schedule(seed);
    }
}
