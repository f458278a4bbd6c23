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
    /// The zone of a task, with its group, which is spread over zones.
    zone_of: HashMap<String, (String, String)>,
    tasks_in: HashMap<(String, String), usize>,
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
            if let Some(interface) = &task.network_interface {
                let place = (group(task), interface.zone.clone());
                *inner.tasks_in.entry(place.clone()).or_default() += 1;
                inner.zone_of.insert(key.to_owned(), place);
            }
        }
    }

    /// Which of these zones has the fewest tasks of the group of a task, the first of those that are alike. The task is
    /// counted there from now on, so that others that look for a place at the same time see it; until it is noted anew,
    /// or forgotten.
    pub fn intend(&self, key: &str, task: &Task, zones: &[&str]) -> usize {
        let mut inner = self.0.lock();
        inner.remove(key);
        let group = group(task);
        let load = |zone: &str| inner.tasks_in.get(&(group.clone(), zone.to_owned())).copied();
        let emptiest = (0..zones.len()).min_by_key(|index| load(zones[*index]).unwrap_or_default());
        let emptiest = emptiest.unwrap_or_default();
        if let Some(zone) = zones.get(emptiest) {
            let place = (group, (*zone).to_owned());
            *inner.tasks_in.entry(place.clone()).or_default() += 1;
            inner.zone_of.insert(key.to_owned(), place);
        }
        emptiest
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

fn group(task: &Task) -> String {
    format!("{}/{}/{}", task.account, task.cluster, task.group)
}

impl Inner {
    fn remove(&mut self, key: &str) {
        if let Some(place) = self.zone_of.remove(key)
            && let Some(count) = self.tasks_in.get_mut(&place)
        {
            *count -= 1;
            if *count == 0 {
                self.tasks_in.remove(&place);
            }
        }
        let Some(host) = self.host_of.remove(key) else { return };
        if let Some(tasks) = self.tasks_on.get_mut(&host) {
            tasks.remove(key);
            if tasks.is_empty() {
                self.tasks_on.remove(&host);
            }
        }
    }
}
