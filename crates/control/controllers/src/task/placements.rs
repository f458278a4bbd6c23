//! Which task is on which host: a memory of what the watch showed, to find the least loaded host quickly.

use parking_lot::Mutex;
use resources::ecs::{Task, TaskStatus};
use std::collections::{HashMap, HashSet};

/// Tasks by host. It may lag behind the store a little, which makes a choice less even and never wrong.
#[derive(Default)]
pub struct Placements(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    host_of: HashMap<String, String>,
    tasks_on: HashMap<String, HashSet<String>>,
}

impl Placements {
    /// Takes note of where a task is.
    pub fn note(&self, key: &str, task: &Task) {
        let mut inner = self.0.lock();
        inner.remove(key);
        if let Some(host) =
            task.container_instance.as_ref().filter(|_| task.last_status != TaskStatus::Stopped)
        {
            inner.host_of.insert(key.to_owned(), host.clone());
            inner.tasks_on.entry(host.clone()).or_default().insert(key.to_owned());
        }
    }

    /// Takes note that a task is gone.
    pub fn forget(&self, key: &str) {
        self.0.lock().remove(key);
    }

    /// Forgets everything, before all tasks are shown anew.
    pub fn clear(&self) {
        *self.0.lock() = Inner::default();
    }

    /// Number of tasks on a host.
    pub fn load(&self, host: &str) -> usize {
        self.0.lock().tasks_on.get(host).map_or(0, HashSet::len)
    }

    /// The tasks on a host.
    pub fn tasks_on(&self, host: &str) -> Vec<String> {
        self.0.lock().tasks_on.get(host).into_iter().flatten().cloned().collect()
    }
}

impl Inner {
    fn remove(&mut self, key: &str) {
        let Some(host) = self.host_of.remove(key) else { return };
        if let Some(tasks) = self.tasks_on.get_mut(&host) {
            tasks.remove(key);
            if tasks.is_empty() {
                self.tasks_on.remove(&host);
            }
        }
    }
}
