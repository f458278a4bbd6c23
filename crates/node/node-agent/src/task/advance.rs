//! The life of a task as one pure function: definition, record and event in; changed record and actions out.
//!
//! It reads no clock and does nothing itself. What is under way is part of the record (`Pulling`, `Making`,
//! `Starting`, `Removing`), so an action is handed out once; after a restart [`forget_work`] makes all of it wanted
//! again, and the engine finds what is there already.

use crate::engine::{Exit, Found};
use crate::logs::LogOutput;
use crate::task::definition::{Condition, ContainerDefinition, TaskDefinition};
use crate::task::health::{Health, HealthRecord};
use crate::task::record::{
    ContainerRecord, ExecAgentState, ImageLife, Life, Report, SandboxLife, Status, TaskRecord,
};
use environment::Timestamp;
use std::time::Duration;

/// Time for the last output of a container to get to its log router, before that is stopped.
const DRAIN_TIME: Duration = Duration::from_secs(10);
/// Reason of a task that ends with one of its containers.
const ESSENTIAL_EXITED: &str = "Essential container in task exited";
/// Reason of a container that the kernel killed for its memory.
const OUT_OF_MEMORY: &str = "OutOfMemoryError: Container killed due to memory usage";
/// Reason of a container whose end nobody saw.
const LOST: &str = "The container was lost: its host or its shim was stopped abruptly";

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Time has passed, or the task is looked at for the first time.
    Tick,
    /// The server wants the task stopped.
    StopWanted,
    /// The agent stops the task itself, and why.
    Evicted(String),
    /// An image is here, with the signal its containers stop on.
    Pulled {
        /// Index of the container.
        container: usize,
        /// Digest and stop signal, or the whole reason.
        result: Result<(String, Option<String>), String>,
    },
    /// The sandbox is there, or not.
    SandboxMade(Result<(), String>),
    /// A container was started, or not.
    Started {
        /// Index of the container.
        container: usize,
        /// The runtime's id, or the whole reason.
        result: Result<String, String>,
    },
    /// A container has ended.
    Exited {
        /// Index of the container.
        container: usize,
        /// How.
        exit: Exit,
    },
    /// A container got the signal that asks it to stop, or the one that kills it.
    Signalled(usize),
    /// All output of a container has gone where it shall.
    Drained(usize),
    /// A health check has ended.
    Checked {
        /// Index of the container.
        container: usize,
        /// Whether it passed.
        passed: bool,
        /// What it printed.
        output: String,
    },
    /// What runs commands in a container has started, or cannot.
    ExecAgent {
        /// Index of the container.
        container: usize,
        /// Where it is.
        state: ExecAgentState,
    },
    /// After a restart of the agent: what is left of a container.
    Found {
        /// Index of the container.
        container: usize,
        /// What there is.
        found: Found,
    },
    /// After a restart of the agent: the sandbox is gone.
    SandboxLost,
    /// Output is sent, sandbox and network are removed.
    Removed,
    /// The server has accepted the oldest report.
    Reported,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Pull the image of a container.
    Pull(usize),
    /// Make network and sandbox.
    MakeSandbox,
    /// Start a container.
    Start(usize),
    /// Send a container a signal.
    Signal(usize, String),
    /// Run a container's health check.
    Check(usize),
    /// Send what output there is, then remove sandbox and network.
    Remove,
}

/// What follows from an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// To be done now, in any order.
    pub actions: Vec<Action>,
    /// When to look again at the latest.
    pub wake_at: Option<Timestamp>,
}

/// Makes work that a dead agent left unfinished wanted again.
pub fn forget_work(record: &mut TaskRecord) {
    match record.sandbox {
        SandboxLife::Making => record.sandbox = SandboxLife::Wanted,
        SandboxLife::Removing => record.sandbox = SandboxLife::Ready,
        SandboxLife::Wanted | SandboxLife::Ready | SandboxLife::Failed | SandboxLife::Removed => {}
    }
    for container in &mut record.containers {
        if matches!(container.life, Life::Waiting | Life::Starting) {
            // The image's configuration was in memory only; pulling again finds the layers here.
            container.image = ImageLife::Wanted;
            container.life = Life::Waiting;
            // It is found again if it is true.
            (container.exit, container.reason) = (None, None);
        }
        // The record is written before the signal is sent, so it may never have been.
        if !container.signalled {
            container.stop_sent_at = None;
        }
        container.killed = false;
    }
}

/// Takes note of an event and says what is to be done.
pub fn advance(task: &TaskDefinition, record: &mut TaskRecord, event: Event, now: Timestamp) -> Outcome {
    apply(task, record, event, now);
    settle(task, record, now);
    let mut outcome = Outcome::default();
    start_what_can(task, record, now, &mut outcome);
    stop_what_must(task, record, now, &mut outcome);
    check_health(task, record, now, &mut outcome);
    wake_for_dependencies(task, record, &mut outcome);
    if record.all_ended()
        && matches!(record.sandbox, SandboxLife::Wanted | SandboxLife::Ready | SandboxLife::Failed)
    {
        record.execution_stopped_at = record.execution_stopped_at.or(Some(now));
        record.sandbox = SandboxLife::Removing;
        outcome.actions.push(Action::Remove);
    }
    line_up_report(record);
    outcome
}

fn apply(task: &TaskDefinition, record: &mut TaskRecord, event: Event, now: Timestamp) {
    match event {
        Event::Tick => {}
        Event::StopWanted => record.stopping = true,
        Event::Evicted(reason) => stop(record, reason),
        Event::Pulled { container, result } => pulled(record, container, result, now),
        Event::SandboxMade(Ok(())) => record.sandbox = SandboxLife::Ready,
        Event::SandboxMade(Err(reason)) => {
            record.sandbox = SandboxLife::Failed;
            stop(record, reason);
        }
        Event::Started { container, result } => started(record, container, result, now),
        Event::Signalled(container) => record.containers[container].signalled = true,
        Event::Drained(container) => record.containers[container].drained = true,
        Event::Exited { container, exit } => ended(task, record, container, exit, now),
        Event::Checked { container, passed, output } => {
            let (state, definition) = (&mut record.containers[container], &task.containers[container]);
            if let (Some(health), Some(check), Some(started_at)) =
                (&mut state.health, &definition.health_check, state.started_at)
            {
                health.observe(check, passed, output, started_at, now);
            }
        }
        Event::ExecAgent { container, state } => record.containers[container].exec_agent = Some(state),
        Event::Found { container, found } => found_again(task, record, container, found, now),
        Event::SandboxLost => sandbox_lost(record, now),
        Event::Removed => record.sandbox = SandboxLife::Removed,
        Event::Reported => {
            if !record.unreported.is_empty() {
                record.unreported.remove(0);
            }
        }
    }
}

fn stop(record: &mut TaskRecord, reason: String) {
    record.stopping = true;
    record.reason.get_or_insert(reason);
}

fn pulled(
    record: &mut TaskRecord,
    index: usize,
    result: Result<(String, Option<String>), String>,
    now: Timestamp,
) {
    let state = &mut record.containers[index];
    match result {
        Ok((digest, stop_signal)) => {
            state.image = ImageLife::Present;
            state.image_digest = Some(digest);
            state.stop_signal = stop_signal;
        }
        Err(reason) => {
            state.image = ImageLife::Failed;
            state.life = Life::Ended;
            state.reason = Some(reason.clone());
            stop(record, reason);
        }
    }
    let pulling = |c: &ContainerRecord| matches!(c.image, ImageLife::Wanted | ImageLife::Pulling);
    if !record.containers.iter().any(pulling) {
        record.pull_stopped_at = record.pull_stopped_at.or(Some(now));
    }
}

fn started(record: &mut TaskRecord, index: usize, result: Result<String, String>, now: Timestamp) {
    let state = &mut record.containers[index];
    match result {
        Ok(runtime_id) => {
            state.runtime_id = Some(runtime_id);
            // Its end may have been told before its start.
            let at = state.exit.as_ref().map_or(now, |exit| exit.at.min(now));
            state.started_at = state.started_at.or(Some(at));
            state.run_started_at = Some(at);
            if state.life == Life::Starting {
                state.life = if state.exit.is_some() { Life::Ended } else { Life::Running };
            }
        }
        Err(reason) => {
            state.life = Life::Ended;
            state.reason = Some(reason.clone());
            stop(record, reason);
        }
    }
}

/// Notes how a container ended. While its start is not told yet it stays `Starting`: it is over once both are known, or
/// its output would be given up before anybody began to read it.
fn exited(state: &mut ContainerRecord, exit: Exit) {
    if exit.out_of_memory {
        state.reason.get_or_insert_with(|| OUT_OF_MEMORY.to_owned());
    } else if exit.code.is_none() {
        state.reason.get_or_insert_with(|| LOST.to_owned());
    }
    if state.life != Life::Starting || state.started_at.is_some() {
        state.life = Life::Ended;
    }
    state.exit = Some(exit);
}

/// Notes the end of a container, which may run again then: the published agent does so unless the task is to stop, the
/// exit code is one of those that do not count, or the container had not run for long enough.
fn ended(task: &TaskDefinition, record: &mut TaskRecord, index: usize, exit: Exit, now: Timestamp) {
    let stopping = record.stopping;
    let state = &mut record.containers[index];
    // Told again after a restart of the agent.
    if state.last_exit_at.is_some_and(|last| exit.at <= last) {
        return;
    }
    let ran = state.run_started_at.or(state.started_at).map(|since| exit.at.max(since).since(since));
    let again = task.containers[index].restart.as_ref().zip(ran);
    let again = again.is_some_and(|(policy, ran)| policy.applies(exit.code, ran));
    if !again || stopping || state.life != Life::Running {
        return exited(state, exit);
    }
    state.restarts += 1;
    state.last_exit_at = Some(exit.at);
    state.run_started_at = None;
    state.life = Life::Waiting;
    if let Some(health) = &mut state.health {
        *health = HealthRecord { since: Some(now), ..HealthRecord::default() };
    }
}

fn found_again(task: &TaskDefinition, record: &mut TaskRecord, index: usize, found: Found, now: Timestamp) {
    let state = &mut record.containers[index];
    match (found, state.life) {
        (_, Life::Ended) | (Found::Nothing, Life::Waiting | Life::Starting) => {}
        (Found::Running, _) => {
            state.started_at = state.started_at.or(Some(now));
            state.life = Life::Running;
        }
        (Found::Ended(exit), _) => {
            state.started_at = state.started_at.or(Some(now));
            ended(task, record, index, exit, now);
        }
        (Found::Nothing, Life::Running) => lost(state, now),
    }
}

/// A container that ran and is gone; nobody saw its exit code.
fn lost(state: &mut ContainerRecord, now: Timestamp) {
    state.life = Life::Ended;
    state.exit = Some(Exit { code: None, out_of_memory: false, at: now });
    state.reason = Some(LOST.to_owned());
}

fn sandbox_lost(record: &mut TaskRecord, now: Timestamp) {
    match record.sandbox {
        SandboxLife::Ready | SandboxLife::Making => {
            for state in &mut record.containers {
                if state.life == Life::Running {
                    lost(state, now);
                }
            }
            if record.containers.iter().any(|state| state.started_at.is_some()) {
                stop(record, LOST.to_owned());
            } else {
                // Nothing has run yet, so it can be made anew.
                record.sandbox = SandboxLife::Wanted;
            }
        }
        SandboxLife::Wanted | SandboxLife::Failed | SandboxLife::Removing | SandboxLife::Removed => {}
    }
}

/// Draws the conclusions that need no action: the task ends with an essential container, and containers whose
/// conditions cannot be met any more never run.
fn settle(task: &TaskDefinition, record: &mut TaskRecord, now: Timestamp) {
    for (state, definition) in record.containers.iter().zip(&task.containers) {
        if !record.stopping && state.life == Life::Ended && definition.essential && state.exit.is_some() {
            record.stopping = true;
            record.reason.get_or_insert_with(|| ESSENTIAL_EXITED.to_owned());
        }
    }
    for index in 0..record.containers.len() {
        if record.containers[index].life == Life::Waiting
            && !record.stopping
            && let Some(reason) = hopeless(task, record, index, now)
        {
            record.containers[index].life = Life::Ended;
            record.containers[index].reason = Some(reason.clone());
            stop(record, reason);
        }
    }
    if record.stopping {
        for state in record.containers.iter_mut().filter(|state| state.life == Life::Waiting) {
            state.life = Life::Ended;
        }
    }
}

/// Why a waiting container will never run, if so.
fn hopeless(task: &TaskDefinition, record: &TaskRecord, index: usize, now: Timestamp) -> Option<String> {
    let waiting = &task.containers[index];
    waiting.depends_on.iter().find_map(|dependency| {
        let (state, on) = (&record.containers[dependency.on], &task.containers[dependency.on]);
        if is_met(state, dependency.condition) {
            return None;
        }
        let ended = state.life == Life::Ended;
        let code = state.exit.as_ref().and_then(|exit| exit.code);
        match dependency.condition {
            Condition::Success if ended => {
                let code =
                    code.map_or_else(|| "without a code".to_owned(), |code| format!("with code {code}"));
                Some(format!("Container {} needs {} to succeed, but it exited {code}", waiting.name, on.name))
            }
            Condition::Healthy if ended => {
                Some(format!("Container {} needs {} to be healthy, but it exited", waiting.name, on.name))
            }
            Condition::Healthy if state.health.as_ref().is_some_and(|h| h.health == Health::Unhealthy) => {
                Some(format!(
                    "Container {} needs {} to be healthy, but it is unhealthy",
                    waiting.name, on.name
                ))
            }
            Condition::Start if ended => {
                Some(format!("Container {} needs {} to start, but it did not", waiting.name, on.name))
            }
            _ => gave_up_at(state, on).filter(|deadline| *deadline <= now).map(|_| {
                format!(
                    "Container {} waited for {} past its startTimeout of {} seconds",
                    waiting.name,
                    on.name,
                    on.start_timeout.as_secs()
                )
            }),
        }
    })
}

fn gave_up_at(state: &ContainerRecord, definition: &ContainerDefinition) -> Option<Timestamp> {
    state.started_at.map(|started_at| started_at + definition.start_timeout)
}

fn is_met(state: &ContainerRecord, condition: Condition) -> bool {
    match condition {
        Condition::Start => state.started_at.is_some(),
        Condition::Complete => state.life == Life::Ended && state.exit.is_some(),
        Condition::Success => state.exit.as_ref().is_some_and(|exit| exit.code == Some(0)),
        Condition::Healthy => {
            state.life == Life::Running
                && state.health.as_ref().is_some_and(|health| health.health == Health::Healthy)
        }
    }
}

fn start_what_can(task: &TaskDefinition, record: &mut TaskRecord, now: Timestamp, outcome: &mut Outcome) {
    if record.stopping {
        return;
    }
    if record.sandbox == SandboxLife::Wanted {
        record.sandbox = SandboxLife::Making;
        outcome.actions.push(Action::MakeSandbox);
    }
    for (index, definition) in task.containers.iter().enumerate() {
        let state = &record.containers[index];
        if state.image == ImageLife::Wanted && state.life == Life::Waiting {
            record.pull_started_at = record.pull_started_at.or(Some(now));
            record.containers[index].image = ImageLife::Pulling;
            outcome.actions.push(Action::Pull(index));
            continue;
        }
        let met = |d: &crate::task::definition::Dependency| is_met(&record.containers[d.on], d.condition);
        if state.life == Life::Waiting
            && state.image == ImageLife::Present
            && record.sandbox == SandboxLife::Ready
            && definition.depends_on.iter().all(met)
        {
            record.containers[index].life = Life::Starting;
            outcome.actions.push(Action::Start(index));
        }
    }
}

/// Asks containers to stop, those first that others depend on last; kills the ones that do not listen.
fn stop_what_must(task: &TaskDefinition, record: &mut TaskRecord, now: Timestamp, outcome: &mut Outcome) {
    if !record.stopping {
        return;
    }
    for index in 0..record.containers.len() {
        let needed = task.containers.iter().zip(&record.containers).any(|(definition, state)| {
            matches!(state.life, Life::Running | Life::Starting)
                && definition.depends_on.iter().any(|dependency| dependency.on == index)
        });
        let routes_until = routes_until(task, record, index).filter(|until| *until > now);
        let needed = needed || routes_until.is_some();
        if let Some(until) = routes_until {
            wake(outcome, until);
        }
        let state = &mut record.containers[index];
        if state.life != Life::Running {
            continue;
        }
        match state.stop_sent_at {
            None if needed => {}
            None => {
                state.stop_sent_at = Some(now);
                let signal = state.stop_signal.clone().unwrap_or_else(|| "SIGTERM".to_owned());
                outcome.actions.push(Action::Signal(index, signal));
                wake(outcome, now + task.containers[index].stop_timeout);
            }
            Some(_) if state.killed => {}
            Some(sent_at) => {
                let deadline = sent_at + task.containers[index].stop_timeout;
                if deadline <= now {
                    state.killed = true;
                    outcome.actions.push(Action::Signal(index, "SIGKILL".to_owned()));
                } else {
                    wake(outcome, deadline);
                }
            }
        }
    }
}

/// How long a log router is kept for the output of containers that have ended, at the longest.
fn routes_until(task: &TaskDefinition, record: &TaskRecord, router: usize) -> Option<Timestamp> {
    let states = task.containers.iter().zip(&record.containers);
    let waiting = states.filter(|(definition, state)| {
        let routed = definition.logs.as_ref().and_then(LogOutput::router) == Some(router);
        routed && state.life == Life::Ended && !state.drained
    });
    waiting.filter_map(|(_, state)| state.exit.as_ref()).map(|exit| exit.at + DRAIN_TIME).max()
}

fn check_health(task: &TaskDefinition, record: &mut TaskRecord, now: Timestamp, outcome: &mut Outcome) {
    if record.stopping {
        return;
    }
    for (index, (state, definition)) in record.containers.iter_mut().zip(&task.containers).enumerate() {
        let (Some(check), Some(health), Some(started_at)) =
            (&definition.health_check, &mut state.health, state.started_at)
        else {
            continue;
        };
        if state.life != Life::Running || health.checking {
            continue;
        }
        let due = health.due(check, started_at);
        if due <= now {
            health.checking = true;
            outcome.actions.push(Action::Check(index));
        } else {
            wake(outcome, due);
        }
    }
}

fn wake_for_dependencies(task: &TaskDefinition, record: &TaskRecord, outcome: &mut Outcome) {
    for (state, definition) in record.containers.iter().zip(&task.containers) {
        if state.life != Life::Waiting {
            continue;
        }
        for dependency in &definition.depends_on {
            let on = &record.containers[dependency.on];
            if !is_met(on, dependency.condition)
                && let Some(deadline) = gave_up_at(on, &task.containers[dependency.on])
            {
                wake(outcome, deadline);
            }
        }
    }
}

fn wake(outcome: &mut Outcome, at: Timestamp) {
    outcome.wake_at = Some(outcome.wake_at.map_or(at, |known| known.min(at)));
}

/// Puts a report in line when the server knows less than there is to know. The first in line is being sent and
/// stays; later ones of the same status give way to the newest.
fn line_up_report(record: &mut TaskRecord) {
    let report = record.report();
    let any_started = record.containers.iter().any(|state| state.started_at.is_some());
    if report.status == Status::Pending && !any_started {
        return;
    }
    // The last report is only a removal away and says it all.
    let nearly_over = record.all_ended() && record.sandbox != SandboxLife::Removed;
    if nearly_over && record.last_report.as_ref().is_some_and(|old| old.status == report.status) {
        return;
    }
    let told = |old: &Report| {
        old.status == report.status
            && old.containers == report.containers
            && old.exec_agents == report.exec_agents
    };
    if record.last_report.as_ref().is_some_and(told) {
        return;
    }
    if record.unreported.len() > 1
        && record.unreported.last().is_some_and(|waiting| waiting.status == report.status)
    {
        record.unreported.pop();
    }
    record.unreported.push(report.clone());
    record.last_report = Some(report);
}

#[cfg(test)]
mod tests;
