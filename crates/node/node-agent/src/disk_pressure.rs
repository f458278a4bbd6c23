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
        let tasks = supervisor.tasks();
        told.retain(|id| tasks.iter().any(|task| task.definition.id == *id));
        if !host.engine.bounds_disk() {
            stop_past_bound(host, &tasks, &mut told).await;
        }
        match host.engine.disk_room().await {
            Ok(room) if is_short(room) => stop_largest(host, room, &tasks, &mut told).await,
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "cannot learn how much room the disk has"),
        }
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

    #[test]
    fn small_disks_may_be_fuller_than_large_ones() {
        let short = |available: u64, total: u64| {
            is_short(DiskRoom { available: available << 30, total: total << 30 })
        };
        assert!(short(1, 250) && !short(3, 250));
        assert!(!short(1, 10) && short(0, 10));
    }
}
