//! Keeps tasks from filling the disk of their host.
//!
//! Each task has a bound of its own, but all of them together may have more than there is, for few use what they may.
//! So when the disk is nearly full, the task that has written the most is stopped, with that as its reason. Where the
//! machine cannot bound a task's writes by itself, tasks that have passed their bound are looked for and stopped here.

use crate::engine::DiskRoom;
use crate::supervisor::Supervisor;
use crate::task::{Host, TaskHandle};
use std::collections::HashSet;
use std::time::Duration;

/// Time between two looks.
const LOOK: Duration = Duration::from_secs(2);
/// Room that stays free: this much, or a twentieth of the disk if that is less.
const MOST_RESERVE: u64 = 2 << 30;
/// A task that has written less than this does not fill a disk.
const LEAST_WRITTEN: u64 = 64 << 20;

/// Looks for as long as the agent runs.
pub(crate) async fn run(host: &Host, supervisor: &Supervisor) {
    let mut told = HashSet::new();
    loop {
        host.environment.sleep(LOOK).await;
        look(host, supervisor, &mut told).await;
    }
}

/// Looks once. `told` are the tasks that were stopped before.
async fn look(host: &Host, supervisor: &Supervisor, told: &mut HashSet<String>) {
    let tasks = supervisor.tasks();
    told.retain(|id| tasks.iter().any(|task| task.definition.id == *id));
    if !host.engine.bounds_disk() {
        stop_past_bound(host, &tasks, told).await;
    }
    match host.engine.disk_room().await {
        Ok(room) if is_short(room) => stop_largest(host, room, &tasks, told).await,
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "cannot learn how much room the disk has"),
    }
}

fn is_short(room: DiskRoom) -> bool {
    room.available < MOST_RESERVE.min(room.total / 20)
}

async fn stop_past_bound(host: &Host, tasks: &[TaskHandle], told: &mut HashSet<String>) {
    for task in tasks {
        let Some(gib) = task.definition.storage.filter(|_| !told.contains(&task.definition.id)) else {
            continue;
        };
        if written(host, task).await > u64::from(gib) << 30 {
            told.insert(task.definition.id.clone());
            task.stop_because(format!(
                "The task has written more than its ephemeral storage of {gib} GiB holds"
            ));
        }
    }
}

/// One at a time: removing it may be enough.
async fn stop_largest(host: &Host, room: DiskRoom, tasks: &[TaskHandle], told: &mut HashSet<String>) {
    let mut largest: Option<(u64, &TaskHandle)> = None;
    for task in tasks {
        let bytes = written(host, task).await;
        if told.contains(&task.definition.id) {
            if bytes > LEAST_WRITTEN {
                // It is on its way out, and its room comes back.
                return;
            }
        } else if bytes > largest.map_or(LEAST_WRITTEN, |(most, _)| most) {
            largest = Some((bytes, task));
        }
    }
    let Some((bytes, task)) = largest else {
        tracing::error!(available = room.available, "the disk is nearly full, and not because of tasks");
        return;
    };
    told.insert(task.definition.id.clone());
    let (written, left) = (bytes >> 20, room.available >> 20);
    tracing::error!(task = task.definition.id, written, left, "the disk is nearly full: stopping a task");
    task.stop_because(format!(
        "The disk of the host is nearly full ({left} MiB are left), and this task has written the most: {written} MiB"
    ));
}

async fn written(host: &Host, task: &TaskHandle) -> u64 {
    // Of a task without a sandbox nothing is there.
    host.engine.disk_written(&task.definition.id).await.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Api;
    use crate::config::Credentials;
    use crate::engine::SimulatedEngine;
    use crate::task::testing::{container, payload};
    use environment::Environment;
    use std::sync::Arc;
    use tokio::sync::Notify;

    #[test]
    fn small_disks_may_be_fuller_than_large_ones() {
        let short = |available: u64, total: u64| {
            is_short(DiskRoom { available: available << 30, total: total << 30 })
        };
        assert!(short(1, 250) && !short(3, 250));
        assert!(!short(1, 10) && short(0, 10));
    }

    /// Tasks whose containers run, on a simulated machine whose region never answers.
    async fn running(
        count: usize,
    ) -> (Arc<Host>, Supervisor, SimulatedEngine, Vec<String>, tempfile::TempDir) {
        let environment = Environment::real();
        let engine = SimulatedEngine::new(environment.clone());
        let credentials = Credentials { access_key_id: "AKIA".into(), secret_access_key: "secret".into() };
        let api = Api::new(
            "http://127.0.0.1:9".parse().expect("an address"),
            "r",
            &credentials,
            environment.clone(),
        );
        let host = Arc::new(Host {
            engine: Arc::new(engine.clone()),
            api: Arc::new(api),
            environment: environment.clone(),
            health_changed: Notify::new(),
        });
        let dir = tempfile::tempdir().expect("a directory");
        let supervisor = Supervisor::new(host.clone(), dir.path().join("tasks"));
        let mut ids = Vec::new();
        for number in 0..count {
            let id = format!("{number:032x}");
            let mut task = payload(vec![container("main")]);
            task.arn = format!("arn:aws:ecs:us-east-1:123456789012:task/default/{id}");
            task.attachments = vec![agent_wire::acs::Attachment {
                attachment_type: "EphemeralStorage".to_owned(),
                attachment_properties: vec![agent_wire::acs::AttachmentProperty {
                    name: "sizeInGiB".to_owned(),
                    value: "20".to_owned(),
                }],
                ..agent_wire::acs::Attachment::default()
            }];
            assert!(supervisor.accept(&task).await.expect("keeps it"));
            ids.push(id);
        }
        (host, supervisor, engine, ids, dir)
    }

    /// Waits until a task is on its way out, and answers why.
    async fn reason(supervisor: &Supervisor, id: &str) -> String {
        let mut record = supervisor.get(id).expect("is there").record;
        let stopping = record.wait_for(|record| record.reason.is_some());
        let found = tokio::time::timeout(Duration::from_secs(20), stopping).await.expect("stops");
        found.expect("lives").reason.clone().expect("has a reason")
    }

    #[tokio::test]
    async fn the_task_that_has_written_the_most_makes_room() {
        let (host, supervisor, engine, ids, _dir) = running(3).await;
        let mut told = HashSet::new();
        for (id, gib) in ids.iter().zip([1, 5, 3]) {
            engine.set_written(id, gib << 30);
        }
        engine.set_room(DiskRoom { available: 10 << 30, total: 100 << 30 });
        look(&host, &supervisor, &mut told).await;
        assert!(told.is_empty(), "there is room");
        engine.set_room(DiskRoom { available: 1 << 30, total: 100 << 30 });
        look(&host, &supervisor, &mut told).await;
        look(&host, &supervisor, &mut told).await;
        assert_eq!(told, HashSet::from([ids[1].clone()]), "one at a time");
        assert!(reason(&supervisor, &ids[1]).await.contains("nearly full"));
        engine.set_written(&ids[1], 0);
        look(&host, &supervisor, &mut told).await;
        assert!(told.contains(&ids[2]), "that was not enough");
        supervisor.detach().await;
    }

    #[tokio::test]
    async fn a_task_past_its_bound_is_stopped_where_nothing_else_bounds_it() {
        let (host, supervisor, engine, ids, _dir) = running(2).await;
        engine.set_written(&ids[0], 20 << 30);
        engine.set_written(&ids[1], (20 << 30) + 1);
        let mut told = HashSet::new();
        look(&host, &supervisor, &mut told).await;
        assert_eq!(told, HashSet::from([ids[1].clone()]));
        assert!(reason(&supervisor, &ids[1]).await.contains("ephemeral storage of 20 GiB"));
        supervisor.detach().await;
    }
}
