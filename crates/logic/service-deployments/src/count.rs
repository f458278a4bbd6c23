//! What became of tasks, and what it counts as.

use crate::events::SEE_GUIDE;
use crate::{End, FailingTarget, Health, Sight, Work};
use environment::Timestamp;
use resources::ecs::{RolloutState, TaskMark};
use std::time::Duration;

/// Longest wait between two rounds of tasks that fail, as on AWS.
const LONGEST_WAIT: Duration = Duration::from_secs(27 * 60);
/// Rounds in a row after which a service tells that it cannot start its tasks.
const TOLD_ROUNDS: u32 = 4;

/// Wait after so many rounds of failed tasks in a row: what crashes now and then is replaced at once.
pub(crate) fn wait_after(rounds: u32) -> Duration {
    match rounds {
        0..=2 => Duration::ZERO,
        _ => Duration::from_secs(1u64 << (rounds - 3).min(20)).min(LONGEST_WAIT),
    }
}

/// The time left until `at`, which a clock that was put back cannot make longer than any wait of ours.
pub(crate) fn left(at: Timestamp, now: Timestamp) -> Option<Duration> {
    Some(at.since(now)).filter(|left| !left.is_zero() && *left <= LONGEST_WAIT)
}

impl Work<'_> {
    /// Takes note of what has become of every task since the last plan.
    pub(crate) fn count_members(&mut self) {
        for index in 0..self.members.len() {
            let member = self.members[index].clone();
            match &member.sight {
                Sight::Starting => {
                    if let Some(reason) = &member.not_placed {
                        self.not_placed(reason);
                    }
                }
                Sight::Stopping => {}
                Sight::Running { since, health } => {
                    let health = self.out_of_grace(index, *since, *health);
                    let mark = match health {
                        Health::Passing => TaskMark::Healthy,
                        Health::Failing => TaskMark::Failed,
                        Health::Unchecked if member.mark == TaskMark::New => self.settled(*since),
                        Health::Waiting | Health::Unchecked => member.mark,
                    };
                    self.mark(index, mark);
                }
                Sight::Ended(end) => {
                    self.ended(index, end);
                    self.plan.settled.push(member.task.clone());
                }
            }
        }
        self.members.retain(|member| !matches!(member.sight, Sight::Ended(_)));
    }

    /// A failing check says nothing in the first moments of a task, if the service has it so.
    fn out_of_grace(&mut self, index: usize, since: Timestamp, health: Health) -> Health {
        let grace = Duration::from_secs(self.snapshot.service.health_check_grace_period.unwrap_or(0).into());
        let left = (since + grace).since(self.snapshot.now);
        if health != Health::Failing || left.is_zero() || since > self.snapshot.now {
            return health;
        }
        self.again(left);
        self.members[index].sight = Sight::Running { since, health: Health::Waiting };
        Health::Waiting
    }

    /// A task that runs and has no check is healthy after a while.
    fn settled(&mut self, since: Timestamp) -> TaskMark {
        let until = since + self.snapshot.settle;
        // A start in the future was written before the clock was put back.
        if since <= self.snapshot.now && until > self.snapshot.now {
            self.again(until.since(self.snapshot.now));
            return TaskMark::New;
        }
        TaskMark::Healthy
    }

    fn mark(&mut self, index: usize, mark: TaskMark) {
        let member = &mut self.members[index];
        if member.mark == mark {
            return;
        }
        member.mark = mark;
        let (task, deployment, created_at) =
            (member.task.clone(), member.deployment.clone(), member.created_at);
        self.plan.marks.push((task.clone(), mark));
        match mark {
            TaskMark::New => {}
            TaskMark::Healthy => self.succeeded(&deployment),
            TaskMark::Failed => {
                match self.members[index].failing_target.clone() {
                    Some(FailingTarget { port, target_group, reason }) => self.tell(&format!(
                        "(task {task}) (port {port}) is unhealthy in (target-group {target_group}) due to (reason \
                         {reason})"
                    )),
                    None => self.tell(&format!("(task {task}) failed container health checks.")),
                }
                self.failed(&deployment, created_at);
            }
        }
    }

    fn ended(&mut self, index: usize, end: &End) {
        let member = self.members[index].clone();
        let End::Failed { ran, not_placed } = end else { return };
        if let Some(reason) = not_placed {
            self.not_placed(reason);
        }
        match member.mark {
            TaskMark::Failed | TaskMark::Healthy => {}
            // It ran long enough while nobody looked.
            TaskMark::New if ran.is_some_and(|ran| !ran.is_zero() && ran >= self.snapshot.settle) => {
                self.succeeded(&member.deployment);
            }
            TaskMark::New => self.failed(&member.deployment, member.created_at),
        }
    }

    fn not_placed(&mut self, reason: &str) {
        let reason = reason.trim_end_matches('.');
        self.notice(&format!("was unable to place a task. Reason: {reason}. {SEE_GUIDE}"));
    }

    fn succeeded(&mut self, id: &str) {
        let Some(deployment) = self.plan.service.deployments.iter_mut().find(|own| own.id == id) else {
            return;
        };
        deployment.failed_tasks = 0;
        deployment.failed_rounds = 0;
        deployment.retry_at = None;
    }

    /// Counts a failure. Tasks that were started before the last round of failures was noticed belong to that round,
    /// so that many tasks that fail together make one wait.
    fn failed(&mut self, id: &str, created_at: Timestamp) {
        let now = self.snapshot.now;
        let Some(deployment) = self.plan.service.deployments.iter_mut().find(|own| own.id == id) else {
            return;
        };
        deployment.failed_tasks = deployment.failed_tasks.saturating_add(1);
        let is_new_round = deployment.retry_at.is_none_or(|at| created_at >= at || at > now + LONGEST_WAIT);
        if is_new_round {
            deployment.failed_rounds = deployment.failed_rounds.saturating_add(1);
            deployment.retry_at = Some(now + wait_after(deployment.failed_rounds));
        }
        let rounds = deployment.failed_rounds;
        if rounds >= TOLD_ROUNDS && deployment.rollout != RolloutState::Failed {
            self.notice(&format!("is unable to consistently start tasks successfully. {SEE_GUIDE}"));
        }
    }
}
