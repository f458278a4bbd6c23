//! Decides the next step of a task. Pure.

use super::observe::{HostState, Observed};
use environment::Timestamp;
use resources::ecs::{ContainerInstance, DesiredStatus, Lack, NO_CAPACITY, StopCode, TaskStatus};
use std::time::Duration;
use store::Versioned;

/// How long a task waits for a host before it gives up.
pub const WAIT_FOR_HOST: Duration = Duration::from_secs(300);
/// How long tasks of a host that was deregistered are left alone: its agent may be reporting their end.
pub const GRACE_GONE: Duration = Duration::from_secs(60);
/// How long tasks of a host whose agent is silent are left alone. Containers outlive their agent, and a machine that
/// is restarted comes back, so this is long.
pub const GRACE_SILENT: Duration = Duration::from_secs(3600);
/// How long AWS shows a stopped task.
pub const KEEP_STOPPED: Duration = Duration::from_secs(3600);

/// How soon a task that waits for room looks again by itself. What frees room says so; this is for room that another
/// task held and gave back without being placed.
pub const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// The next step.
#[derive(Clone, Debug)]
pub enum Step {
    /// Nothing to do until the task changes.
    Nothing,
    /// Look again after this time.
    Wait(Duration),
    /// Look again when a host comes, or after this time.
    WaitForHost(Duration),
    /// Note what hosts have too little of, and look again when there is room, or after this time.
    WaitForRoom(Lack, Duration),
    /// Give it an address and send it to this host.
    Place(Versioned<ContainerInstance>),
    /// Take its address back; it is over.
    Release,
    /// End it without its agent, for this reason.
    Abandon(StopCode, String),
    /// Remove its row.
    Reap,
}

/// What to do next.
pub fn plan(observed: &Observed, now: Timestamp) -> Step {
    let task = &observed.task;
    match task.last_status {
        TaskStatus::Provisioning if task.desired_status == DesiredStatus::Stopped => Step::Release,
        TaskStatus::Provisioning => place(observed),
        TaskStatus::Pending
        | TaskStatus::Activating
        | TaskStatus::Running
        | TaskStatus::Deactivating
        | TaskStatus::Stopping => on_host(observed),
        TaskStatus::Deprovisioning => Step::Release,
        TaskStatus::Stopped => {
            // A stopped task without its time can only be an old one.
            let stopped_at = task.stopped_at.unwrap_or_default();
            if stopped_at > now + KEEP_STOPPED {
                // The clock was put back since, and nobody knows how long it has been shown.
                return Step::Reap;
            }
            until(stopped_at + KEEP_STOPPED, now).map_or(Step::Reap, Step::Wait)
        }
    }
}

/// A task that needs a host.
fn place(observed: &Observed) -> Step {
    let (task, room) = (&observed.task, &observed.room);
    if let Some(host) = room.hosts.first() {
        return Step::Place(host.clone());
    }
    let left = Some(WAIT_FOR_HOST.saturating_sub(observed.waited)).filter(|left| !left.is_zero());
    match (room.lack, left) {
        (Some(lack), _) if task.service.is_some() => Step::WaitForRoom(lack, LOOK_AGAIN),
        (_, None) => Step::Abandon(StopCode::TaskFailedToStart, NO_CAPACITY.to_owned()),
        (Some(lack), Some(left)) => Step::WaitForRoom(lack, left.min(LOOK_AGAIN)),
        (None, Some(left)) => Step::WaitForHost(left),
    }
}

/// A task that belongs to the agent of its host, as long as there is one.
fn on_host(observed: &Observed) -> Step {
    let task = &observed.task;
    let (lasted, grace, what) = match observed.host {
        HostState::Present => return Step::Nothing,
        HostState::Silent(lasted) => (lasted, GRACE_SILENT, "has lost its agent"),
        HostState::Gone(lasted) => (lasted, GRACE_GONE, "is not registered any more"),
    };
    let rest = grace.saturating_sub(lasted);
    if !rest.is_zero() {
        return Step::Wait(rest);
    }
    let code = match task.started_at {
        Some(_) => StopCode::EssentialContainerExited,
        None => StopCode::TaskFailedToStart,
    };
    let host = task.container_instance.as_deref().and_then(|key| key.rsplit('/').next()).unwrap_or_default();
    Step::Abandon(code, format!("The task's container instance {host} {what}."))
}

/// The time left, if there is any.
fn until(deadline: Timestamp, now: Timestamp) -> Option<Duration> {
    Some(deadline.since(now)).filter(|left| !left.is_zero())
}
