//! The data plane of load balancers and the functions that deployments wait for, as they may behave.

use crate::load_balancer::{DataPlane, DataPlaneError, Wanted};
use crate::service_hook::HookCaller;
use async_trait::async_trait;
use environment::Timestamp;
use load_balancing::{Reason, Report, TargetReport, TargetState};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A data plane that outlives its controllers, and whose calls fail when they are to.
#[derive(Clone, Default)]
pub struct Plane(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    wanted: Option<Wanted>,
    /// How often each target was looked at in the state that it is wanted in: drains or not.
    looks: BTreeMap<(String, String, u16, bool), u32>,
    /// Addresses of targets that fail their checks.
    sick: BTreeSet<String>,
    /// The next calls that fail, and whether they take effect before that.
    failures: u32,
    takes_effect: bool,
}

impl Plane {
    /// From now on these addresses fail their checks.
    pub fn fail_checks(&self, of: BTreeSet<String>) {
        self.0.lock().sick = of;
    }

    /// The next calls fail.
    pub fn fail_calls(&self, calls: u32, takes_effect: bool) {
        let mut state = self.0.lock();
        (state.failures, state.takes_effect) = (calls, takes_effect);
    }

    /// Whether a target is new or drains.
    pub fn is_moving(&self) -> bool {
        self.0.lock().looks.iter().any(|((_, _, _, drains), looks)| *looks < 3 && (*drains || *looks < 2))
    }
}

impl State {
    fn call(&mut self) -> Result<(), DataPlaneError> {
        if self.failures == 0 {
            return Ok(());
        }
        self.failures -= 1;
        Err(DataPlaneError("a planned failure".to_owned()))
    }

    fn look_at(&mut self, group: &str, target: &load_balancing::Target) -> TargetReport {
        let drains = target.draining_since.is_some();
        let looks = self.looks.entry((group.to_owned(), target.id.clone(), target.port, drains)).or_default();
        *looks += 1;
        let state = match (drains, *looks) {
            (true, 1) => TargetState::Draining,
            (true, _) => TargetState::Unused,
            (false, _) if self.sick.contains(&target.id) => TargetState::Unhealthy,
            (false, 1) => TargetState::Initial,
            (false, _) => TargetState::Healthy,
        };
        TargetReport {
            target_group: group.to_owned(),
            id: target.id.clone(),
            port: target.port,
            state,
            reason: (state == TargetState::Unhealthy).then_some(Reason::FailedHealthChecks),
            description: None,
            since: Timestamp::from_seconds(0),
            outstanding: 0,
        }
    }
}

#[async_trait]
impl DataPlane for Plane {
    async fn apply(&self, wanted: &Wanted) -> Result<(), DataPlaneError> {
        let mut state = self.0.lock();
        let failed = state.call();
        if failed.is_ok() || state.takes_effect {
            state.wanted = Some(wanted.clone());
        }
        failed
    }

    async fn report(&self) -> Result<Report, DataPlaneError> {
        let mut state = self.0.lock();
        state.call()?;
        let Some(wanted) = state.wanted.clone() else { return Ok(Report::default()) };
        let mut report = Report { revision: wanted.configuration.revision, ..Report::default() };
        let mut known = BTreeSet::new();
        for group in &wanted.configuration.target_groups {
            for target in &group.targets {
                known.insert((
                    group.arn.clone(),
                    target.id.clone(),
                    target.port,
                    target.draining_since.is_some(),
                ));
                report.targets.push(state.look_at(&group.arn, target));
            }
        }
        state.looks.retain(|key, _| known.contains(key));
        Ok(report)
    }

    async fn stop(&self) -> Result<(), DataPlaneError> {
        let mut state = self.0.lock();
        state.call()?;
        state.wanted = None;
        Ok(())
    }
}

/// Functions that answer what they are told to, the last of it again and again.
#[derive(Default)]
pub struct Functions(Mutex<Vec<Result<String, String>>>);

impl Functions {
    /// What is answered from now on, the last one first.
    pub fn answer(&self, answers: Vec<Result<String, String>>) {
        *self.0.lock() = answers;
    }
}

#[async_trait]
impl HookCaller for Functions {
    async fn call(&self, _url: &str, _payload: String) -> Result<String, String> {
        let answer = self.0.lock().pop();
        answer.unwrap_or_else(|| Ok(r#"{"hookStatus":"SUCCEEDED"}"#.to_owned()))
    }
}
