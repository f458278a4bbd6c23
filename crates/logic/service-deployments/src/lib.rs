//! Services of ECS: where a service stands and what its tasks look like in, what to do next out. Pure.
//!
//! [`plan`] is run again after every change. What it answers is carried out in one transaction together with the row
//! of the service, so that a decision is taken once; a plan that could not be carried out is made anew. A plan starts
//! and stops a bounded number of tasks and says when it wants to be asked again.
//!
//! Promises: a healthy task is stopped only while enough others are healthy; no task is started past the maximum; a
//! failing deployment starts its tasks ever more slowly and never stops what still works to make room for itself;
//! traffic is never shifted to tasks that do not work; with no more faults, every service comes to rest with as many tasks as wanted of one revision.

mod alarms;
mod balance;
mod breaker;
mod count;
mod events;
mod finish;
mod scale;
mod shift;
mod sides;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use environment::Timestamp;
use resources::ecs::{Controller, RolloutState, Service, ServiceDeployment, ServiceStatus, TaskMark};
use std::time::Duration;

/// Most tasks that one plan starts, and most that it stops.
pub const MOST_AT_ONCE: usize = 50;

/// What a plan is made of.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot<'a> {
    /// The service.
    pub service: &'a Service,
    /// The record of the deployment in progress, if one is.
    pub record: Option<&'a ServiceDeployment>,
    /// The alarms that the deployment in progress watches. One that does not exist is not among them.
    pub alarms: &'a [WatchedAlarm],
    /// Every task of its ledger.
    pub members: &'a [Member],
    /// The availability zones that have room for a task, when its tasks are uneven over them; else none.
    pub zones: &'a [String],
    /// How long a task without a health check must run to count as healthy.
    pub settle: Duration,
    /// The time.
    pub now: Timestamp,
}

/// An alarm that a deployment watches, as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedAlarm {
    /// Its name.
    pub name: String,
    /// It has gone off.
    pub is_off: bool,
    /// How long what is wrong may go on before it has surely gone off.
    pub span: Duration,
}

/// A task of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Id of the task.
    pub task: String,
    /// Id of the deployment that started it.
    pub deployment: String,
    /// Capacity provider that it was started through.
    pub provider: Option<String>,
    /// The availability zone that it is in, once it has a place.
    pub zone: Option<String>,
    /// What it has been counted as.
    pub mark: TaskMark,
    /// When it was started.
    pub created_at: Timestamp,
    /// Neither a deployment nor scaling in may stop it now; when that ends.
    pub protected_until: Option<Timestamp>,
    /// What is seen of it.
    pub sight: Sight,
    /// The target of a load balancer that makes its health what it is, when that is failing.
    pub failing_target: Option<FailingTarget>,
    /// Why no place is found for it, while it waits for one.
    pub not_placed: Option<String>,
}

/// A target that fails the checks of its load balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailingTarget {
    /// Its port.
    pub port: u16,
    /// ARN of its target group.
    pub target_group: String,
    /// Why, in the words of the load balancer.
    pub reason: String,
}

/// What is seen of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// It has not come to run.
    Starting,
    /// It runs.
    Running {
        /// Since when.
        since: Timestamp,
        /// What its health checks say, those of load balancers among them.
        health: Health,
    },
    /// It was told to stop.
    Stopping,
    /// Its containers have ended.
    Ended(End),
}

/// What the health checks of a task say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It has none.
    Unchecked,
    /// Nothing yet.
    Waiting,
    /// All pass.
    Passing,
    /// One fails.
    Failing,
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Somebody wanted it stopped.
    Wanted,
    /// By itself.
    Failed {
        /// How long it ran; zero when it never did. `None` when its checks had to say whether it worked.
        ran: Option<Duration>,
        /// Why no place was found for it.
        not_placed: Option<String>,
    },
}

/// Names for what a plan makes.
pub trait Names {
    /// Id of a new task.
    fn task(&mut self) -> String;
    /// Number of a new deployment.
    fn deployment(&mut self) -> String;
    /// Id of a hook that is asked.
    fn hook(&mut self) -> String;
}

/// What to do. All of it, or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The service as it is then.
    pub service: Service,
    /// The record of its deployment as it is then.
    pub record: Option<ServiceDeployment>,
    /// What to tell, in this order.
    pub events: Vec<String>,
    /// Tasks to start.
    pub start: Vec<Start>,
    /// Tasks to stop.
    pub stop: Vec<Stop>,
    /// What tasks count as from now on.
    pub marks: Vec<(String, TaskMark)>,
    /// Tasks that are accounted for and leave the ledger.
    pub settled: Vec<String>,
    /// When to ask again, if nothing changes before.
    pub again: Option<Duration>,
}

/// A task to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// Its id.
    pub task: String,
    /// Id of its deployment.
    pub deployment: String,
    /// Capacity provider.
    pub provider: Option<String>,
}

/// A task to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Its id.
    pub task: String,
    /// What it shows then.
    pub reason: String,
}

/// What to do next for a service.
pub fn plan(snapshot: Snapshot<'_>, names: &mut dyn Names) -> Plan {
    let mut work = Work::new(snapshot, names);
    work.count_members();
    match snapshot.service.status {
        ServiceStatus::Active => {
            work.begin();
            if snapshot.service.controller == Controller::Ecs {
                work.begin_shift();
                work.heed_stop_request();
                work.heed_alarms();
                work.trip_breaker();
                work.advance_shift();
            }
            work.scale();
            work.finish();
        }
        ServiceStatus::Draining | ServiceStatus::Inactive => work.drain(),
    }
    work.plan
}

/// A plan while it is made.
struct Work<'a> {
    snapshot: Snapshot<'a>,
    names: &'a mut dyn Names,
    plan: Plan,
    /// Members as this plan leaves them; those that it starts or stops are changed here, too.
    members: Vec<Member>,
}

impl<'a> Work<'a> {
    fn new(snapshot: Snapshot<'a>, names: &'a mut dyn Names) -> Self {
        let plan = Plan {
            service: snapshot.service.clone(),
            record: snapshot.record.cloned(),
            events: Vec::new(),
            start: Vec::new(),
            stop: Vec::new(),
            marks: Vec::new(),
            settled: Vec::new(),
            again: None,
        };
        Self { snapshot, names, plan, members: snapshot.members.to_vec() }
    }

    /// Asks to be run again after this time at the latest.
    fn again(&mut self, after: Duration) {
        self.plan.again = Some(self.plan.again.map_or(after, |again| again.min(after)));
    }

    /// Whether the newest deployment is given up.
    fn is_given_up(&self) -> bool {
        self.plan.service.primary().is_some_and(|primary| primary.rollout == RolloutState::Failed)
    }

    /// Id of the newest deployment.
    fn primary_id(&self) -> String {
        self.plan.service.primary().map(|primary| primary.id.clone()).unwrap_or_default()
    }
}
