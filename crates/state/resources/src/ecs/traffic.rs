//! Deployments that shift traffic: blue/green, linear and canary, their stages and their hooks.
//!
//! A service has two sides: the target groups that its load balancers name, and the alternate ones. The revision that
//! is replaced is blue, the one that comes is green and registers on the other side. Without load balancers the stages
//! are the same, and the weights are only told to hooks.

use super::{Service, Tag};
use crate::Stored;
use environment::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// All traffic, in thousandths. AWS counts in tenths of a per cent.
pub const WHOLE: u32 = 1_000;

/// How a deployment brings a revision in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Strategy {
    /// Task by task.
    #[default]
    Rolling,
    /// A second set of tasks, and all traffic at once.
    BlueGreen,
    /// A second set of tasks, and traffic in equal steps.
    Linear,
    /// A second set of tasks, a little traffic, then the rest.
    Canary,
}

/// A step of traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrafficStep {
    /// Thousandths of the traffic.
    pub share: u32,
    /// Minutes until the next step.
    pub bake_minutes: u32,
}

/// Something that must agree before a deployment goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifecycleHook {
    /// Who.
    pub target: HookTarget,
    /// Where in the deployment.
    pub stages: Vec<LifecycleStage>,
    /// JSON that is handed to it.
    pub details: Option<String>,
    /// Minutes after which it is not waited for.
    pub timeout_minutes: Option<u32>,
    /// What happens then.
    pub on_timeout: HookAction,
}

/// Who decides whether a deployment goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HookTarget {
    /// A function; the region calls the endpoint that is named for it.
    Function {
        /// Its ARN.
        arn: String,
        /// Role that may call it, as told.
        role: String,
    },
    /// Somebody who calls ContinueServiceDeployment.
    Pause,
}

/// What a hook or its end leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HookAction {
    /// The deployment is undone.
    Rollback,
    /// The deployment goes on.
    Continue,
}

/// A stage of a deployment that shifts traffic, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LifecycleStage {
    /// What an earlier deployment left is put in order.
    ReconcileService,
    /// Before the tasks of the new revision are started.
    PreScaleUp,
    /// They are started.
    ScaleUp,
    /// They are all healthy.
    PostScaleUp,
    /// Test traffic goes to them.
    TestTrafficShift,
    /// Test traffic has gone to them.
    PostTestTrafficShift,
    /// Before production traffic. Only hooks know this stage.
    PreProductionTrafficShift,
    /// Production traffic goes to them.
    ProductionTrafficShift,
    /// Production traffic has gone to them.
    PostProductionTrafficShift,
    /// Both revisions run for a while.
    BakeTime,
    /// The tasks of the old revision are stopped.
    CleanUp,
}

/// Where a deployment that shifts traffic stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifecycle {
    /// Id of the deployment that comes.
    pub green: String,
    /// Id of the deployment that it replaces, if there is one.
    pub blue: Option<String>,
    /// Stage.
    pub stage: LifecycleStage,
    /// Since when.
    pub since: Timestamp,
    /// Thousandths of the production traffic that go to green.
    pub production: u32,
    /// Thousandths of the test traffic that go to green.
    pub test: u32,
    /// It is being undone.
    pub going_back: bool,
    /// Hooks of the stage.
    pub hooks: Vec<HookRun>,
}

/// A hook that was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookRun {
    /// Its id.
    pub id: String,
    /// Who is asked.
    pub target: HookTarget,
    /// What it said.
    pub status: HookStatus,
    /// When a function is called next.
    pub next_at: Timestamp,
    /// When it is not waited for any more.
    pub expires_at: Timestamp,
    /// What happens then.
    pub on_timeout: HookAction,
    /// JSON that is handed to it.
    pub details: Option<String>,
    /// Why it failed.
    pub reason: Option<String>,
}

/// What a hook said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HookStatus {
    /// Somebody must decide.
    AwaitingAction,
    /// The function is to be called, or to be called again.
    InProgress,
    /// Go on.
    Succeeded,
    /// Undo it.
    Failed,
    /// Nothing in time.
    TimedOut,
}

/// Where a function is called in this region. Written when the region starts, from its settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookEndpoint {
    /// ARN of the function.
    pub function: String,
    /// URL that its payload is posted to.
    pub url: String,
}

/// Thousandths of the traffic that go to the alternate target groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlternateShare {
    /// Of production.
    pub production: u32,
    /// Of tests.
    pub test: u32,
}

/// A set of tasks of a service whose deployments are somebody else's, as a deployment of that service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSet {
    /// Id that the deployer gave it.
    pub external_id: Option<String>,
    /// Hundredths of a per cent of the desired count.
    pub scale: u32,
    /// It is what the service shows as its own.
    pub primary: bool,
    /// As many healthy tasks as it is to have, since when.
    pub steady_at: Option<Timestamp>,
    /// It is deleted, and its tasks are ending.
    pub draining: bool,
    /// Token of the request that made it.
    pub client_token: Option<String>,
    /// Tags.
    pub tags: Vec<Tag>,
}

impl Stored for HookEndpoint {
    const TABLE: &'static str = "ecs/hook-endpoint";

    fn key(&self) -> String {
        self.function.clone()
    }
}

impl LifecycleStage {
    /// As the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReconcileService => "RECONCILE_SERVICE",
            Self::PreScaleUp => "PRE_SCALE_UP",
            Self::ScaleUp => "SCALE_UP",
            Self::PostScaleUp => "POST_SCALE_UP",
            Self::TestTrafficShift => "TEST_TRAFFIC_SHIFT",
            Self::PostTestTrafficShift => "POST_TEST_TRAFFIC_SHIFT",
            Self::PreProductionTrafficShift => "PRE_PRODUCTION_TRAFFIC_SHIFT",
            Self::ProductionTrafficShift => "PRODUCTION_TRAFFIC_SHIFT",
            Self::PostProductionTrafficShift => "POST_PRODUCTION_TRAFFIC_SHIFT",
            Self::BakeTime => "BAKE_TIME",
            Self::CleanUp => "CLEAN_UP",
        }
    }

    /// The stage after it.
    pub const fn next(self) -> Option<Self> {
        match self {
            Self::ReconcileService => Some(Self::PreScaleUp),
            Self::PreScaleUp => Some(Self::ScaleUp),
            Self::ScaleUp => Some(Self::PostScaleUp),
            Self::PostScaleUp => Some(Self::TestTrafficShift),
            Self::TestTrafficShift => Some(Self::PostTestTrafficShift),
            Self::PostTestTrafficShift => Some(Self::PreProductionTrafficShift),
            Self::PreProductionTrafficShift => Some(Self::ProductionTrafficShift),
            Self::ProductionTrafficShift => Some(Self::PostProductionTrafficShift),
            Self::PostProductionTrafficShift => Some(Self::BakeTime),
            Self::BakeTime => Some(Self::CleanUp),
            Self::CleanUp => None,
        }
    }
}

impl HookStatus {
    /// Whether the hook has not decided yet.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::AwaitingAction | Self::InProgress)
    }
}

impl HookRun {
    /// The time until its function is called next; `None` when there is nothing to call.
    pub fn due_in(&self, now: Timestamp) -> Option<Duration> {
        let is_call =
            self.status == HookStatus::InProgress && matches!(self.target, HookTarget::Function { .. });
        is_call.then(|| self.next_at.since(now))
    }
}

impl TaskSet {
    /// Hundredths of a per cent that are all.
    pub const FULL_SCALE: u32 = 10_000;

    /// Tasks that it is to have when the service is to have so many, rounded up.
    pub fn computed_count(&self, desired: u32) -> u32 {
        let scaled = (u64::from(desired) * u64::from(self.scale)).div_ceil(u64::from(Self::FULL_SCALE));
        if self.draining { 0 } else { u32::try_from(scaled).unwrap_or(u32::MAX) }
    }
}

/// Weights for both sides when so many thousandths go to the alternate one. They are whole per cents where they can be, as AWS
/// sets them, so none is above 999.
pub const fn weights(alternate: u32) -> (u32, u32) {
    let alternate = if alternate < WHOLE { alternate } else { WHOLE };
    let main = WHOLE - alternate;
    if alternate.is_multiple_of(10) { (main / 10, alternate / 10) } else { (main, alternate) }
}

impl Service {
    /// How much traffic goes to the alternate target groups.
    pub fn alternate_share(&self) -> AlternateShare {
        let rest = self.primary().is_some_and(|primary| primary.alternate);
        let all = |yes: bool| if yes { WHOLE } else { 0 };
        let Some(lifecycle) = &self.lifecycle else {
            return AlternateShare { production: all(rest), test: all(rest) };
        };
        let side = |id: &str| self.deployments.iter().find(|own| own.id == id).map(|own| own.alternate);
        // What was undone and has no tasks any more is gone before the other is at rest.
        let blue = lifecycle.blue.as_deref().and_then(side);
        let is_green = side(&lifecycle.green).or(blue.map(|blue| !blue)).unwrap_or(rest);
        if lifecycle.blue.is_none() {
            // The first deployment of all has nobody to take traffic from.
            return AlternateShare { production: all(is_green), test: all(is_green) };
        }
        let of = |share: u32| if is_green { share } else { WHOLE - share.min(WHOLE) };
        AlternateShare { production: of(lifecycle.production), test: of(lifecycle.test) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_leads_to_the_next() {
        let mut stage = LifecycleStage::ReconcileService;
        let mut names = vec![stage.as_str()];
        while let Some(next) = stage.next() {
            assert!(next > stage);
            stage = next;
            names.push(stage.as_str());
        }
        assert_eq!((names.len(), names[10]), (11, "CLEAN_UP"));
    }

    #[test]
    fn weights_are_whole_per_cents_where_they_can_be() {
        let all: Vec<_> = [0, 50, 333, 995, 1_000, 2_000].into_iter().map(weights).collect();
        assert_eq!(all, [(100, 0), (95, 5), (667, 333), (5, 995), (0, 100), (0, 100)]);
    }

    #[test]
    fn a_task_set_has_its_share_rounded_up() {
        let mut set = TaskSet {
            external_id: None,
            scale: 3_000,
            primary: false,
            steady_at: None,
            draining: false,
            client_token: None,
            tags: vec![],
        };
        assert_eq!((set.computed_count(4), set.computed_count(0)), (2, 0));
        set.draining = true;
        assert_eq!(set.computed_count(4), 0);
    }
}
