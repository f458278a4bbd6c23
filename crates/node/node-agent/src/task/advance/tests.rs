//! Lives of tasks, event by event.

use super::*;
use crate::task::testing::{container, depends, payload};
use agent_wire::acs;
use std::time::Duration;

struct Course {
    task: TaskDefinition,
    record: TaskRecord,
    now: Timestamp,
}

impl Course {
    fn of(containers: Vec<acs::Container>) -> Self {
        let task = TaskDefinition::read(&payload(containers)).expect("reads");
        let parts = task.containers.iter().map(|c| (c.name.as_str(), c.health_check.is_some()));
        let record = TaskRecord::new(parts);
        Self { record, task, now: Timestamp::from_seconds(1_000) }
    }

    fn on(&mut self, event: Event) -> Vec<Action> {
        advance(&self.task, &mut self.record, event, self.now).actions
    }

    fn pass(&mut self, seconds: u64) -> Vec<Action> {
        self.now = self.now + Duration::from_secs(seconds);
        self.on(Event::Tick)
    }

    fn ready(&mut self) -> Vec<Action> {
        self.on(Event::Tick);
        let mut actions = Vec::new();
        for container in 0..self.task.containers.len() {
            actions.extend(self.on(Event::Pulled { container, result: Ok(("sha256:x".to_owned(), None)) }));
        }
        actions.extend(self.on(Event::SandboxMade(Ok(()))));
        actions
    }

    fn start(&mut self, container: usize) -> Vec<Action> {
        self.on(Event::Started { container, result: Ok(format!("id-{container}")) })
    }

    fn exit(&mut self, container: usize, code: i32) -> Vec<Action> {
        let exit = Exit { code: Some(code), out_of_memory: false, at: self.now };
        self.on(Event::Exited { container, exit })
    }

    fn statuses(&self) -> Vec<(Status, Vec<Status>)> {
        let of = |report: &Report| (report.status, report.containers.iter().map(|c| c.status).collect());
        self.record.unreported.iter().map(of).collect()
    }
}

fn checked(name: &str) -> acs::Container {
    acs::Container {
        health_check_type: Some(acs::HealthCheckType::Docker),
        docker_config: Some(acs::DockerConfig {
            config: r#"{"Healthcheck":{"Test":["CMD","ok"],"Interval":5000000000,"Retries":1}}"#.to_owned(),
            ..acs::DockerConfig::default()
        }),
        ..container(name)
    }
}

fn term(container: usize) -> Action {
    Action::Signal(container, "SIGTERM".to_owned())
}

#[test]
fn everything_that_can_happen_at_once_does() {
    let mut life = Course::of(vec![container("a"), container("b")]);
    assert_eq!(life.on(Event::Tick), [Action::MakeSandbox, Action::Pull(0), Action::Pull(1)]);
    assert_eq!(life.on(Event::SandboxMade(Ok(()))), []);
    let pulled = |container| Event::Pulled { container, result: Ok(("sha256:x".to_owned(), None)) };
    assert_eq!(life.on(pulled(1)), [Action::Start(1)]);
    assert_eq!(life.on(pulled(0)), [Action::Start(0)]);
    assert_eq!(life.on(Event::Tick), [], "work is handed out once");
    life.start(1);
    assert_eq!(life.statuses(), [(Status::Pending, vec![Status::Running])]);
    life.start(0);
    assert_eq!(life.statuses().last(), Some(&(Status::Running, vec![Status::Running; 2])));
}

#[test]
fn a_task_ends_with_an_essential_container() {
    let mut life = Course::of(vec![container("a"), container("b")]);
    life.ready();
    life.start(0);
    life.start(1);
    assert_eq!(life.exit(0, 3), [term(1)]);
    assert_eq!(life.record.reason.as_deref(), Some("Essential container in task exited"));
    assert_eq!(life.exit(1, 143), [Action::Remove]);
    life.on(Event::Removed);
    let report = life.record.unreported.last().expect("is reported");
    assert_eq!(report.status, Status::Stopped);
    assert_eq!(report.containers.iter().map(|c| c.exit_code).collect::<Vec<_>>(), [Some(3), Some(143)]);
    assert!(!life.record.is_over());
    for _ in 0..life.record.unreported.len() {
        life.on(Event::Reported);
    }
    assert!(life.record.is_over());
}

#[test]
fn running_is_reported_even_of_a_container_that_exits_at_once() {
    let mut life = Course::of(vec![container("a")]);
    assert_eq!(life.ready(), [Action::Start(0)]);
    life.start(0);
    life.exit(0, 0);
    life.on(Event::Removed);
    let seen: Vec<Status> = life.statuses().into_iter().map(|(status, _)| status).collect();
    assert_eq!((seen.first(), seen.last()), (Some(&Status::Running), Some(&Status::Stopped)));

    let mut life = Course::of(vec![container("a")]);
    life.ready();
    life.exit(0, 7);
    life.start(0);
    assert_eq!(life.record.containers[0].life, Life::Ended, "the end may be told before the start");
}

#[test]
fn a_container_that_ignores_the_signal_is_killed() {
    let mut one = container("a");
    one.stop_timeout = 10;
    let mut life = Course::of(vec![one]);
    life.ready();
    life.start(0);
    assert_eq!(life.on(Event::StopWanted), [term(0)]);
    assert_eq!(life.pass(9), []);
    assert_eq!(life.pass(1), [Action::Signal(0, "SIGKILL".to_owned())]);
    assert_eq!(life.pass(10), [], "once is enough");
    assert_eq!(life.exit(0, 137), [Action::Remove]);
}

#[test]
fn an_agent_that_dies_while_it_stops_a_container_asks_it_again() {
    let mut one = container("a");
    one.stop_timeout = 10;
    let mut life = Course::of(vec![one]);
    life.ready();
    life.start(0);
    assert_eq!(life.on(Event::StopWanted), [term(0)]);
    forget_work(&mut life.record);
    assert_eq!(life.pass(11), [term(0)], "nobody knows whether the signal was sent");
    assert_eq!(life.on(Event::Signalled(0)), []);
    forget_work(&mut life.record);
    assert_eq!(life.pass(9), [], "once is enough");
    assert_eq!(life.pass(1), [Action::Signal(0, "SIGKILL".to_owned())]);
}

#[test]
fn stopping_goes_backwards_through_dependencies() {
    let mut web = container("web");
    web.depends_on = depends("db", acs::ContainerCondition::Start);
    let mut life = Course::of(vec![container("db"), web]);
    assert_eq!(life.ready(), [Action::Start(0)]);
    assert_eq!(life.start(0), [Action::Start(1)]);
    life.start(1);
    assert_eq!(life.on(Event::StopWanted), [term(1)]);
    assert_eq!(life.exit(1, 0), [term(0)]);
    assert_eq!(life.exit(0, 0), [Action::Remove]);
}

/// A container whose output the other routes.
fn routed_pair() -> Vec<acs::Container> {
    let mut app = container("app");
    app.docker_config = Some(acs::DockerConfig {
        host_config: r#"{"LogConfig":{"Type":"awsfirelens","Config":{}}}"#.to_owned(),
        ..acs::DockerConfig::default()
    });
    let mut router = container("router");
    router.firelens_configuration = Some(acs::FirelensConfiguration {
        r#type: Some(acs::FirelensConfigurationType::Fluentbit),
        ..acs::FirelensConfiguration::default()
    });
    vec![app, router]
}

#[test]
fn a_log_router_starts_first_and_stops_when_it_has_all_output() {
    let mut life = Course::of(routed_pair());
    assert_eq!(life.ready(), [Action::Start(1)]);
    assert_eq!(life.start(1), [Action::Start(0)]);
    life.start(0);
    assert_eq!(life.exit(0, 0), [], "its last lines are on their way");
    assert_eq!(life.on(Event::Drained(0)), [term(1)]);
    assert_eq!(life.exit(1, 0), [Action::Remove]);
}

#[test]
fn a_log_router_that_takes_nothing_is_stopped_all_the_same() {
    let mut life = Course::of(routed_pair());
    life.ready();
    life.start(1);
    life.start(0);
    assert_eq!(life.on(Event::StopWanted), [term(0)]);
    let outcome = {
        let exit = Exit { code: Some(0), out_of_memory: false, at: life.now };
        advance(&life.task, &mut life.record, Event::Exited { container: 0, exit }, life.now)
    };
    assert_eq!(outcome.wake_at, Some(life.now + DRAIN_TIME));
    assert_eq!(life.pass(9), []);
    assert_eq!(life.pass(1), [term(1)]);
}

#[test]
fn a_task_that_the_agent_stops_says_why() {
    let mut life = Course::of(vec![container("a")]);
    life.ready();
    life.start(0);
    assert_eq!(life.on(Event::Evicted("the disk is full".to_owned())), [term(0)]);
    life.exit(0, 143);
    life.on(Event::Removed);
    let last = life.record.unreported.last().expect("is reported");
    assert_eq!(last.reason.as_deref(), Some("the disk is full"));
}

#[test]
fn all_four_conditions() {
    let conditions = [
        acs::ContainerCondition::Start,
        acs::ContainerCondition::Complete,
        acs::ContainerCondition::Success,
        acs::ContainerCondition::Healthy,
    ];
    for condition in conditions {
        let mut first = checked("first");
        first.essential = false;
        let mut second = container("second");
        second.depends_on = depends("first", condition);
        let mut life = Course::of(vec![first, second]);
        assert_eq!(life.ready(), [Action::Start(0)], "{condition:?}");
        let next = life.start(0);
        let next = match condition {
            acs::ContainerCondition::Start => next,
            acs::ContainerCondition::Healthy => {
                assert_eq!(next, [Action::Check(0)]);
                life.on(Event::Checked { container: 0, passed: true, output: String::new() })
            }
            _ => {
                assert_eq!(next, [Action::Check(0)]);
                life.exit(0, 0)
            }
        };
        assert!(next.contains(&Action::Start(1)), "{condition:?}: {next:?}");
    }
}

#[test]
fn conditions_that_cannot_be_met_end_the_task() {
    type Happening = fn(&mut Course) -> Vec<Action>;
    let cases: [(acs::ContainerCondition, Happening, &str); 4] = [
        (acs::ContainerCondition::Success, |life| life.exit(0, 1), "exited with code 1"),
        (acs::ContainerCondition::Healthy, |life| life.exit(0, 0), "but it exited"),
        (
            acs::ContainerCondition::Healthy,
            |life| {
                life.pass(6);
                life.on(Event::Checked { container: 0, passed: false, output: String::new() })
            },
            "is unhealthy",
        ),
        (acs::ContainerCondition::Complete, |life| life.pass(20), "startTimeout of 20"),
    ];
    for (condition, happen, reason) in cases {
        let mut first = checked("first");
        first.essential = false;
        first.start_timeout = 20;
        let mut second = container("second");
        second.depends_on = depends("first", condition);
        let mut life = Course::of(vec![first, second]);
        life.ready();
        life.start(0);
        happen(&mut life);
        assert!(life.record.stopping, "{condition:?}");
        let text = life.record.reason.clone().expect("has a reason");
        assert!(text.contains(reason), "{text} should contain {reason}");
        assert!(life.record.containers[1].started_at.is_none());
    }
}

#[test]
fn failures_to_start_have_reasons_and_clean_up() {
    let mut life = Course::of(vec![container("a"), container("b")]);
    life.on(Event::Tick);
    let failed =
        Event::Pulled { container: 0, result: Err("CannotPullContainerError: not found".to_owned()) };
    assert_eq!(life.on(failed), [], "the sandbox is still being made");
    assert_eq!(life.on(Event::SandboxMade(Ok(()))), [Action::Remove]);
    assert_eq!(life.record.reason.as_deref(), Some("CannotPullContainerError: not found"));
    assert_eq!(life.record.containers[0].reason, life.record.reason);

    let mut life = Course::of(vec![container("a")]);
    life.ready();
    let failed =
        Event::Started { container: 0, result: Err("CannotStartContainerError: no such file".to_owned()) };
    assert_eq!(life.on(failed), [Action::Remove]);
    assert_eq!(life.record.reason.as_deref(), Some("CannotStartContainerError: no such file"));

    let mut life = Course::of(vec![container("a")]);
    life.on(Event::Tick);
    let failed = Event::SandboxMade(Err("ResourceInitializationError: no address".to_owned()));
    assert_eq!(life.on(failed), [Action::Remove]);

    let mut life = Course::of(vec![container("a")]);
    life.ready();
    life.start(0);
    let exit = Exit { code: Some(137), out_of_memory: true, at: life.now };
    life.on(Event::Exited { container: 0, exit });
    let reason = life.record.containers[0].reason.as_deref();
    assert_eq!(reason, Some("OutOfMemoryError: Container killed due to memory usage"));
}

#[test]
fn stopping_before_anything_was_made_leaves_nothing() {
    let mut life = Course::of(vec![container("a")]);
    assert_eq!(life.on(Event::StopWanted), [Action::Remove]);
    life.on(Event::Removed);
    assert_eq!(life.statuses(), [(Status::Stopped, vec![Status::Stopped])]);

    // While the sandbox is being made, its removal waits for that.
    let mut life = Course::of(vec![container("a")]);
    life.on(Event::Tick);
    assert_eq!(life.on(Event::StopWanted), []);
    assert_eq!(life.on(Event::SandboxMade(Ok(()))), [Action::Remove]);
}

#[test]
fn a_restart_of_the_agent_goes_on_where_it_was() {
    let mut life = Course::of(vec![container("a"), container("b")]);
    life.ready();
    life.start(0);
    forget_work(&mut life.record);
    let actions = life.on(Event::Found { container: 0, found: Found::Running });
    assert_eq!(actions, [Action::Pull(1)]);
    assert_eq!(life.on(Event::Found { container: 1, found: Found::Nothing }), []);
    let again = life.on(Event::Pulled { container: 1, result: Ok(("sha256:x".to_owned(), None)) });
    assert_eq!(again, [Action::Start(1)]);
    life.start(1);

    // Killed again; one container ended meanwhile.
    forget_work(&mut life.record);
    let exit = Exit { code: Some(9), out_of_memory: false, at: life.now };
    life.on(Event::Found { container: 0, found: Found::Ended(exit) });
    assert_eq!(life.record.containers[0].exit.as_ref().and_then(|exit| exit.code), Some(9));
    assert!(life.record.stopping);

    // And once more, with the sandbox gone, as after a reboot.
    forget_work(&mut life.record);
    assert_eq!(life.on(Event::SandboxLost), [Action::Remove]);
    assert!(life.record.containers[1].reason.as_deref().expect("has one").contains("lost"));
}

#[test]
fn an_end_told_before_its_start_waits_for_it() {
    let mut life = Course::of(vec![container("a")]);
    assert_eq!(life.ready(), [Action::Start(0)]);
    let ended_at = life.now;
    assert_eq!(life.exit(0, 0), [], "the output is not given up before anybody reads it");
    assert!(!life.record.all_ended());
    life.now = life.now + Duration::from_millis(5);
    assert_eq!(life.start(0), [Action::Remove]);
    let state = &life.record.containers[0];
    assert_eq!((state.life, state.started_at), (Life::Ended, Some(ended_at)));
    assert_eq!(state.runtime_id.as_deref(), Some("id-0"));

    // An agent that dies in between learns of the end again.
    let mut life = Course::of(vec![container("a")]);
    life.ready();
    life.exit(0, 0);
    forget_work(&mut life.record);
    assert_eq!(
        (life.record.containers[0].life, life.record.containers[0].exit.clone()),
        (Life::Waiting, None)
    );
    let exit = Exit { code: Some(0), out_of_memory: false, at: life.now };
    assert_eq!(life.on(Event::Found { container: 0, found: Found::Ended(exit) }), [Action::Remove]);
}

mod restarts {
    //! Containers that run again.

    use super::*;
    use crate::task::record::Life;
    use agent_wire::acs;

    fn with_policy(ignored: Vec<i32>) -> (TaskDefinition, TaskRecord) {
        let mut main = container("main");
        main.restart_policy = Some(acs::RestartPolicy {
            enabled: true,
            ignored_exit_codes: ignored,
            restart_attempt_period: 60,
        });
        let task = TaskDefinition::read(&payload(vec![main])).expect("a task");
        let mut record = TaskRecord::new([("main", false)].into_iter());
        for (event, second) in [
            (Event::Tick, 0),
            (Event::Pulled { container: 0, result: Ok(("sha256:0".to_owned(), None)) }, 1),
            (Event::SandboxMade(Ok(())), 1),
            (Event::Started { container: 0, result: Ok("id".to_owned()) }, 2),
        ] {
            advance(&task, &mut record, event, Timestamp::from_seconds(second));
        }
        assert_eq!(record.containers[0].life, Life::Running);
        (task, record)
    }

    fn exit(task: &TaskDefinition, record: &mut TaskRecord, code: Option<i32>, second: i64) -> Vec<Action> {
        let at = Timestamp::from_seconds(second);
        let exit = Exit { code, out_of_memory: false, at };
        advance(task, record, Event::Exited { container: 0, exit }, at).actions
    }

    #[test]
    fn one_that_ran_for_long_enough_runs_again_and_its_task_goes_on() {
        let (task, mut record) = with_policy(vec![]);
        assert_eq!(exit(&task, &mut record, Some(1), 62), [Action::Start(0)]);
        assert_eq!((record.containers[0].restarts, record.stopping), (1, false));
        // The same end told again, as after a restart of the agent, counts once.
        assert_eq!(exit(&task, &mut record, Some(1), 62), []);
        let started = Event::Started { container: 0, result: Ok("id".to_owned()) };
        advance(&task, &mut record, started, Timestamp::from_seconds(63));
        assert_eq!(record.containers[0].life, Life::Running);
        // Before its period is over it does not run again.
        exit(&task, &mut record, Some(1), 100);
        assert_eq!((record.containers[0].life, record.stopping), (Life::Ended, true));
    }

    #[test]
    fn ignored_codes_lost_containers_and_tasks_that_stop_end() {
        for (ignored, code, stop) in
            [(vec![3], Some(3), false), (vec![], None, false), (vec![], Some(1), true)]
        {
            let (task, mut record) = with_policy(ignored);
            if stop {
                advance(&task, &mut record, Event::StopWanted, Timestamp::from_seconds(70));
            }
            exit(&task, &mut record, code, 80);
            assert_eq!((record.containers[0].life, record.containers[0].restarts), (Life::Ended, 0));
        }
    }
}
