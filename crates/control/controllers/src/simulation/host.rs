//! The agents of the hosts: tasks go on as their release has it.

use super::world::{Release, World};
use resources::Stored;
use resources::ecs::{ContainerInstance, DesiredStatus, HealthStatus, StopCode, Task, TaskEvent, TaskStatus};
use std::collections::BTreeSet;
use store::{StoreError, Versioned};

impl World {
    async fn is_heard(&self, task: &Task) -> bool {
        let Some(host) = &task.container_instance else { return false };
        let row = self.truth.get::<ContainerInstance>(host).await.expect("reads");
        row.is_some_and(|row| row.takes_tasks())
    }

    /// Every task goes on.
    pub async fn move_all(&mut self) {
        for task in self.tasks().await {
            self.move_task(&task, false).await;
        }
        self.spread_sickness().await;
    }

    /// One task goes on, or crashes.
    pub async fn move_one(&mut self) {
        let mut tasks = self.tasks().await;
        tasks.retain(|task| task.last_status != TaskStatus::Stopped);
        if tasks.is_empty() {
            return;
        }
        let index = self.chance.below(tasks.len() as u64) as usize;
        let crashes = !self.is_calm && self.chance.percent(8);
        self.move_task(&tasks[index], crashes).await;
        self.spread_sickness().await;
    }

    /// Whatever crashes at its start has done so before time goes on.
    pub async fn crash_what_crashes(&mut self) {
        for task in self.tasks().await {
            if task.last_status == TaskStatus::Running
                && self.releases[&task.value.revision] == Release::Crashing
            {
                self.move_task(&task, false).await;
            }
        }
    }

    /// Load balancers see which targets answer.
    pub async fn spread_sickness(&mut self) {
        let mut sick = BTreeSet::new();
        // Addresses of tasks that are over may have been given to others.
        let mut tasks = self.tasks().await;
        tasks.retain(|task| task.last_status < TaskStatus::Stopped);
        for task in tasks {
            let works = matches!(
                self.releases[&task.value.revision],
                Release::Good | Release::Checked | Release::NeverHealthy
            ) && matches!(task.last_status, TaskStatus::Running | TaskStatus::Deactivating);
            if let Some(interface) = task.network_interface.as_ref().filter(|_| !works) {
                sick.insert(interface.address.to_string());
            }
        }
        self.plane.fail_checks(sick);
    }

    async fn end(&mut self, task: &Task) {
        self.note(format!("{} ends", short(&task.id)));
        let now = self.now();
        self.change_task(&task.key(), |task| {
            let code = match task.started_at {
                Some(_) => StopCode::EssentialContainerExited,
                None => StopCode::TaskFailedToStart,
            };
            task.stop_code = task.stop_code.or(Some(code));
            task.execution_stopped_at = task.execution_stopped_at.or(Some(now));
            task.advance(TaskEvent::ContainersStopped, now);
        })
        .await;
    }

    async fn move_task(&mut self, task: &Versioned<Task>, crashes: bool) {
        if !self.is_heard(task).await {
            return;
        }
        let (release, now) = (self.releases[&task.value.revision], self.now());
        match task.last_status {
            TaskStatus::Pending | TaskStatus::Activating if crashes || release == Release::CannotPull => {
                self.end(task).await;
            }
            TaskStatus::Pending | TaskStatus::Activating => {
                self.note(format!("{} runs", short(&task.id)));
                let digest = format!("sha256:{}", task.value.revision);
                self.change_task(&task.key(), |task| {
                    task.containers[0].image_digest = Some(digest.clone());
                    task.containers[0].last_status = "RUNNING".to_owned();
                    task.advance(TaskEvent::Started, now);
                })
                .await;
            }
            TaskStatus::Running if crashes || release == Release::Crashing => self.end(task).await,
            TaskStatus::Running => {
                let health = match release {
                    Release::Checked => HealthStatus::Healthy,
                    Release::NeverHealthy => HealthStatus::Unhealthy,
                    Release::Good | Release::Crashing | Release::FailsChecks | Release::CannotPull => return,
                };
                if task.containers[0].health != health {
                    self.note(format!("{} is {health:?}", short(&task.id)));
                    self.change_task(&task.key(), |task| task.containers[0].health = health).await;
                }
            }
            // Until load balancers have let go of it, nobody tells its agent.
            TaskStatus::Deactivating if task.is_draining() => {}
            TaskStatus::Deactivating | TaskStatus::Stopping => self.end(task).await,
            // These are the task controller's.
            TaskStatus::Provisioning | TaskStatus::Deprovisioning | TaskStatus::Stopped => {}
        }
    }

    /// The agent of a host goes or comes back.
    pub async fn toggle_host(&mut self) {
        let which = self.chance.below(2) as usize;
        let connected = self.chance.percent(60);
        self.connect(which, connected).await;
    }

    pub async fn connect(&mut self, which: usize, connected: bool) {
        let hosts = self.truth.list_all::<ContainerInstance>("").await.expect("lists");
        self.note(format!("the agent of host {which} is connected: {connected}"));
        let change = |old: &ContainerInstance| {
            Ok::<_, StoreError>(Some(ContainerInstance { agent_connected: connected, ..old.clone() }))
        };
        self.truth.update(&hosts[which].key(), change).await.expect("updates");
    }

    /// Tasks that shall run or are on their way to it.
    pub async fn live(&self) -> Vec<Versioned<Task>> {
        let mut tasks = self.tasks().await;
        tasks.retain(|task| {
            task.desired_status == DesiredStatus::Running && task.last_status <= TaskStatus::Running
        });
        tasks
    }
}

/// The beginning of an id, for the trace.
pub fn short(id: &str) -> &str {
    id.get(..6).unwrap_or(id)
}
