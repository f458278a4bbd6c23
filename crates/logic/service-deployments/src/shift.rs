//! Deployments that shift traffic: from stage to stage, and back.
//!
//! Green is never given traffic unless all its tasks are healthy, and blue is never given it back while it has none
//! that is. A stage ends when its work is done and all its hooks agree; one that lasts a day is undone.

use crate::Work;
use crate::scale::{Worth, worth};
use resources::ecs::{
    CompletedDeployment, DeploymentConfiguration, HookAction, HookRun, HookStatus, HookTarget, Lifecycle,
    LifecycleStage as Stage, RolloutState, ServiceDeploymentStatus as Status, Strategy, WHOLE,
};
use std::time::Duration;

/// Longest time in a stage, as on AWS.
const LONGEST_STAGE: Duration = Duration::from_secs(24 * 3600);
/// Longest wait for blue to be whole again before others are stopped. What is left of them goes with blue.
const LONGEST_RECONCILING: Duration = Duration::from_secs(300);
/// Most stages that one plan goes through.
const MOST_STAGES: usize = 32;

/// What the hooks of a stage say together.
enum Verdict {
    Open,
    Agreed,
    Undo(String),
}

impl Work<'_> {
    /// How the deployment in progress goes: as the service had it when it began.
    fn configuration(&self) -> &DeploymentConfiguration {
        let record = self.plan.record.as_ref();
        record.map_or(&self.plan.service.deployment_configuration, |record| &record.configuration)
    }

    /// Gives a deployment that has just come its lifecycle, or takes that of its predecessor away.
    pub(crate) fn begin_shift(&mut self) {
        let Some(primary) = self.plan.service.primary() else { return };
        let id = primary.id.clone();
        let is_own = self.plan.service.lifecycle.as_ref().is_some_and(|own| {
            own.green == id || (own.going_back && own.blue.as_ref().is_some_and(|blue| *blue == id))
        });
        if is_own || primary.rollout != RolloutState::InProgress {
            return;
        }
        let rolls = self.configuration().strategy == Strategy::Rolling;
        let blue = self.blue();
        let side = blue.as_ref().and_then(|blue| self.side(blue));
        // Traffic stays where it is until the stages of this deployment move it.
        let before = self.plan.service.alternate_share();
        let old = self.plan.service.lifecycle.take();
        if rolls {
            if old.is_some() {
                // Its tasks join those that can be given all traffic at once: blue, or the side where more work.
                let serves = blue.as_ref().is_none_or(|blue| self.serves(blue));
                let own = side.unwrap_or(false) == serves;
                self.take_side(if self.healthy_on(!own) > self.healthy_on(own) { !own } else { own });
            }
            return;
        }
        let alternate = !side.unwrap_or(true);
        let share = |share: u32| match side {
            Some(_) if alternate => share,
            Some(_) => WHOLE - share.min(WHOLE),
            None => 0,
        };
        let shares = (share(before.production), share(before.test));
        self.take_side(alternate);
        self.start_lifecycle(id, blue, shares);
    }

    /// The deployment that the newest one replaces: what was completed last, or else the one before.
    fn blue(&self) -> Option<String> {
        let service = &self.plan.service;
        let older = service.deployments.iter().skip(1).map(|own| &own.id);
        let completed = service.last_completed.as_ref().map(|completed| &completed.deployment);
        older.clone().find(|id| Some(*id) == completed).or(older.clone().next()).cloned()
    }

    fn side(&self, id: &str) -> Option<bool> {
        self.plan.service.deployments.iter().find(|own| own.id == id).map(|own| own.alternate)
    }

    fn take_side(&mut self, alternate: bool) {
        if let Some(primary) = self.plan.service.deployments.first_mut() {
            primary.alternate = alternate;
        }
    }

    fn start_lifecycle(&mut self, green: String, blue: Option<String>, shares: (u32, u32)) {
        let is_alone = self.plan.service.deployments.len() <= 2 && shares == (0, 0);
        self.plan.service.lifecycle = Some(Lifecycle {
            green,
            blue,
            stage: Stage::PreScaleUp,
            since: self.snapshot.now,
            production: shares.0,
            test: shares.1,
            going_back: false,
            hooks: Vec::new(),
        });
        self.enter(if is_alone { Stage::PreScaleUp } else { Stage::ReconcileService });
    }

    /// The stage begins, and its hooks are asked.
    fn enter(&mut self, stage: Stage) {
        let now = self.snapshot.now;
        let hooks = self.configuration().hooks.clone();
        let mut runs = Vec::new();
        for hook in hooks.iter().filter(|hook| hook.stages.contains(&stage)) {
            let timeout = hook.timeout_minutes.map_or(LONGEST_STAGE, |minutes| minute(minutes.into()));
            runs.push(HookRun {
                id: self.names.hook(),
                target: hook.target.clone(),
                status: match hook.target {
                    HookTarget::Pause => HookStatus::AwaitingAction,
                    HookTarget::Function { .. } => HookStatus::InProgress,
                },
                next_at: now,
                expires_at: now + timeout,
                on_timeout: hook.on_timeout,
                details: hook.details.clone(),
                reason: None,
            });
        }
        if let Some(own) = &mut self.plan.service.lifecycle {
            own.stage = stage;
            own.since = now;
            own.hooks = runs;
        }
    }

    /// Goes on from stage to stage as far as it gets.
    pub(crate) fn advance_shift(&mut self) {
        for _ in 0..MOST_STAGES {
            if !self.advance_once() {
                break;
            }
        }
        self.note_lifecycle();
    }

    /// The record shows where the deployment stands.
    pub(crate) fn note_lifecycle(&mut self) {
        let now = self.snapshot.now;
        let lifecycle = self.plan.service.lifecycle.as_ref();
        if let (Some(record), Some(lifecycle)) = (&mut self.plan.record, lifecycle)
            && record.lifecycle.as_ref() != Some(lifecycle)
        {
            record.lifecycle = Some(lifecycle.clone());
            record.updated_at = now;
        }
    }

    /// True when something was moved.
    fn advance_once(&mut self) -> bool {
        let now = self.snapshot.now;
        let in_progress =
            self.plan.service.primary().is_some_and(|primary| primary.rollout == RolloutState::InProgress);
        let Some(own) = self.plan.service.lifecycle.as_mut().filter(|_| in_progress) else { return false };
        // A stage in the future began before the clock was put back, and what its hooks wait for was meant from then on.
        let put_back = own.since.since(now);
        own.since = own.since.min(now);
        for run in own.hooks.iter_mut().filter(|_| !put_back.is_zero()) {
            (run.next_at, run.expires_at) = (run.next_at - put_back, run.expires_at - put_back);
        }
        let own = own.clone();
        match self.verdict() {
            Verdict::Open => return false,
            Verdict::Undo(reason) if !own.going_back => return self.undo(reason),
            // What is being undone cannot be undone.
            Verdict::Undo(_) | Verdict::Agreed => {}
        }
        if own.going_back { self.advance_back(&own) } else { self.advance_forward(&own) }
    }

    /// What the hooks say; those that took too long have said enough.
    fn verdict(&mut self) -> Verdict {
        let now = self.snapshot.now;
        let mut waits: Vec<Duration> = Vec::new();
        let mut verdict = Verdict::Agreed;
        for run in self.plan.service.lifecycle.iter_mut().flat_map(|own| &mut own.hooks) {
            let left = run.expires_at.since(now);
            if run.status.is_open() && left.is_zero() {
                run.status = HookStatus::TimedOut;
                run.reason = Some("The lifecycle hook timed out.".to_owned());
            }
            let undoes = match run.status {
                HookStatus::AwaitingAction | HookStatus::InProgress => {
                    waits.push(left);
                    if matches!(verdict, Verdict::Agreed) {
                        verdict = Verdict::Open;
                    }
                    false
                }
                HookStatus::Succeeded => false,
                HookStatus::Failed => true,
                HookStatus::TimedOut => run.on_timeout == HookAction::Rollback,
            };
            if undoes {
                let why = run.reason.as_deref().unwrap_or("The lifecycle hook failed.");
                verdict = Verdict::Undo(why.to_owned());
            }
        }
        for wait in waits {
            self.again(wait);
        }
        verdict
    }

    fn advance_forward(&mut self, own: &Lifecycle) -> bool {
        let (now, desired) = (self.snapshot.now, self.plan.service.desired_count as usize);
        let green_is_whole = self.healthy_of(&own.green) >= desired;
        let lasted = now.since(own.since);
        let done = match own.stage {
            Stage::ReconcileService => return self.reconcile(own),
            Stage::PreScaleUp => true,
            // Before anything that gives green more to do, and before blue goes.
            Stage::ScaleUp
            | Stage::PostScaleUp
            | Stage::TestTrafficShift
            | Stage::PostTestTrafficShift
            | Stage::PreProductionTrafficShift
            | Stage::PostProductionTrafficShift => green_is_whole,
            Stage::ProductionTrafficShift | Stage::BakeTime => green_is_whole && lasted >= self.bake(own),
            // The service is at rest when that is done.
            Stage::CleanUp => return false,
        };
        if !done {
            return self.stage_waits(own, lasted);
        }
        let next = match own.stage {
            Stage::ProductionTrafficShift if own.production < WHOLE => Stage::ProductionTrafficShift,
            stage => stage.next().unwrap_or(Stage::CleanUp),
        };
        self.shift_for(own, next);
        self.enter(next);
        if next == Stage::CleanUp {
            self.now_completed(&own.green);
        }
        true
    }

    /// Moves the traffic that belongs to a stage.
    fn shift_for(&mut self, own: &Lifecycle, next: Stage) {
        let production = match next {
            Stage::ProductionTrafficShift if own.blue.is_none() => WHOLE,
            Stage::ProductionTrafficShift => self.next_share(own.production),
            _ => own.production,
        };
        if let Some(new) = &mut self.plan.service.lifecycle {
            new.production = production;
            if next == Stage::TestTrafficShift {
                new.test = WHOLE;
            }
        }
    }

    /// Where the next step of production traffic leads.
    fn next_share(&self, now: u32) -> u32 {
        let configuration = self.configuration();
        let step = match configuration.strategy {
            Strategy::Linear => configuration.linear.map(|step| step.share),
            Strategy::Canary if now == 0 => configuration.canary.map(|step| step.share),
            Strategy::Canary | Strategy::BlueGreen | Strategy::Rolling => None,
        };
        now.saturating_add(step.unwrap_or(WHOLE)).min(WHOLE)
    }

    /// How long a stage lasts at least: steps of production traffic are watched, but for the last one.
    fn bake(&self, own: &Lifecycle) -> Duration {
        let configuration = self.configuration();
        match own.stage {
            Stage::BakeTime => {
                return configuration
                    .bake_minutes
                    .map_or_else(|| self.alarm_span(), |minutes| minute(minutes.into()));
            }
            Stage::ProductionTrafficShift => {}
            _ => return Duration::ZERO,
        }
        let step = match configuration.strategy {
            Strategy::Linear => configuration.linear,
            Strategy::Canary => configuration.canary,
            Strategy::BlueGreen | Strategy::Rolling => None,
        };
        match step {
            Some(step) if own.production < WHOLE => minute(step.bake_minutes.into()),
            Some(_) | None => Duration::ZERO,
        }
    }

    /// Asks again when the stage may be over, and undoes one that lasts too long. True when it was undone.
    fn stage_waits(&mut self, own: &Lifecycle, lasted: Duration) -> bool {
        let bake = self.bake(own);
        let longest = bake + LONGEST_STAGE;
        if lasted >= longest {
            return self.undo(format!("The lifecycle stage {} timed out.", own.stage.as_str()));
        }
        let next = if lasted < bake { bake } else { longest };
        self.again(next.saturating_sub(lasted));
        false
    }

    /// All traffic goes to blue again, and what is neither blue nor green goes.
    fn reconcile(&mut self, own: &Lifecycle) -> bool {
        let blue = own.blue.clone();
        let blue_serves = blue.as_ref().is_none_or(|blue| self.serves(blue));
        let has_traffic = (own.production, own.test) != (0, 0);
        if has_traffic
            && blue_serves
            && let Some(new) = &mut self.plan.service.lifecycle
        {
            (new.production, new.test) = (0, 0);
            new.since = self.snapshot.now;
            return true;
        }
        let others_run = self.members.iter().any(|member| {
            let is_other = member.deployment != own.green && blue.as_ref() != Some(&member.deployment);
            is_other && worth(member).is_some()
        });
        let left = LONGEST_RECONCILING.checked_sub(self.snapshot.now.since(own.since));
        if (others_run || has_traffic)
            && !self.is_failing(blue.as_ref())
            && let Some(left) = left.filter(|left| !left.is_zero())
        {
            self.again(left);
            return false;
        }
        self.enter(Stage::PreScaleUp);
        true
    }

    /// Whether a deployment does not get its tasks to run; what waits for it waits for nothing.
    fn is_failing(&self, id: Option<&String>) -> bool {
        let own = self.plan.service.deployments.iter().find(|own| Some(&own.id) == id);
        own.is_none_or(|own| own.failed_rounds > 2 || own.rollout == RolloutState::Failed)
    }

    /// Back to blue: production traffic, test traffic, then the tasks of green go.
    fn advance_back(&mut self, own: &Lifecycle) -> bool {
        let blue_serves = own.blue.as_ref().is_some_and(|blue| self.serves(blue));
        let (stage, production, test) = if own.production > 0 {
            (Stage::ProductionTrafficShift, 0, own.test)
        } else if own.test > 0 {
            (Stage::TestTrafficShift, 0, 0)
        } else if own.stage != Stage::CleanUp {
            (Stage::CleanUp, 0, 0)
        } else {
            return false;
        };
        if stage != Stage::CleanUp && !blue_serves {
            return false;
        }
        if let Some(new) = &mut self.plan.service.lifecycle {
            (new.production, new.test) = (production, test);
        }
        self.enter(stage);
        true
    }

    /// Healthy tasks of a deployment.
    pub(crate) fn healthy_of(&self, id: &str) -> usize {
        let is = |member: &&crate::Member| member.deployment == id && worth(member) == Some(Worth::Healthy);
        self.members.iter().filter(is).count()
    }

    /// Healthy tasks of the deployments on a side.
    fn healthy_on(&self, alternate: bool) -> usize {
        let own = self.plan.service.deployments.iter().filter(|own| own.alternate == alternate);
        own.map(|own| self.healthy_of(&own.id)).sum()
    }

    /// Whether a deployment can be given traffic: it has a healthy task, or shall have none.
    fn serves(&self, id: &str) -> bool {
        self.plan.service.desired_count == 0 || self.healthy_of(id) > 0
    }

    /// Undoes the deployment, or gives it up when there is nothing to go back to.
    fn undo(&mut self, reason: String) -> bool {
        let id = self.primary_id();
        self.give_up(&reason);
        self.tell(&format!("(deployment {id}) deployment failed: {}", told(&reason)));
        match self.rollback_target() {
            Some(target) => self.roll_back(target, reason, "ECS deployment lifecycle"),
            None => self.record_over(Status::Stopped, &reason),
        }
        true
    }

    /// Goes back from wherever the lifecycle is; the deployment that is gone back to is the newest again.
    pub(crate) fn shift_back(&mut self) {
        let (now, id) = (self.snapshot.now, self.primary_id());
        let green = self.plan.service.lifecycle.as_ref().map(|own| own.green.clone());
        let alternate = green.and_then(|green| self.side(&green));
        if let Some(alternate) = alternate {
            self.take_side(!alternate);
        }
        if let Some(own) = &mut self.plan.service.lifecycle {
            own.going_back = true;
            own.blue = Some(id);
            own.since = now;
            own.hooks.clear();
            // Until the traffic moves, the stage is the one that it will be moved in.
            own.stage = Stage::ProductionTrafficShift;
        }
    }

    /// Green is what a later deployment goes back to.
    fn now_completed(&mut self, green: &str) {
        let service = &mut self.plan.service;
        let Some(own) = service.deployments.iter().find(|own| own.id == green) else { return };
        service.last_completed = Some(CompletedDeployment {
            deployment: own.id.clone(),
            service_revision: own.service_revision.clone(),
            workload: own.workload.clone(),
        });
    }

    /// Whether the newest deployment can still be undone or given up.
    pub(crate) fn is_past_undoing(&self) -> bool {
        let own = self.plan.service.lifecycle.as_ref();
        own.is_some_and(|own| own.stage == Stage::CleanUp && !own.going_back)
    }
}

fn minute(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

/// A reason within a sentence of an event.
fn told(reason: &str) -> String {
    let mut letters = reason.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
