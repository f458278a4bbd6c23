//! Which task is on which host and in which zone, and what room is left: what RunTask answers by, and what the task
//! controller places by.
//!
//! A task reserves the CPU and memory of its size on its host, from the moment that it is placed until it is STOPPED,
//! whatever it uses. A host lends what it has registered. Everything here is remembered from what a watch of tasks and
//! hosts shows, so it is quick, and nothing is known before the first listing is whole.
//!
//! Promise: with one controller that places, no host is given more than it lends, for a task that is about to be placed
//! holds its room ([`Placements::hold`]). What RunTask is told is a moment's truth: a task that was let in may still find
//! no room, and then waits.

use parking_lot::Mutex;
use resources::Stored;
use resources::ecs::{ContainerInstance, Lack, Size, Task, TaskStatus};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// The placements of a region. Cheap to clone; clones share what they remember.
#[derive(Clone, Default)]
pub struct Placements(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    /// What the listings have shown; nothing can be said before both are whole.
    tasks_are_listed: bool,
    /// Hosts that take tasks now, and what they lend.
    hosts: BTreeMap<String, Size>,
    placed: HashMap<String, Placed>,
    /// By task: its group, which is spread over zones, and its zone.
    zone_of: HashMap<String, (String, String)>,
    on_host: HashMap<String, OnHost>,
    /// Tasks that are on their way to a host.
    held: HashMap<String, (String, Size)>,
    /// Tasks that have no host yet.
    waiting: BTreeMap<String, Size>,
    /// Tasks of a group in a zone.
    in_zone: HashMap<(String, String), usize>,
}

struct Placed {
    host: String,
    size: Size,
}

#[derive(Default)]
struct OnHost {
    tasks: HashSet<String>,
    reserved: Size,
}

/// What is known of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostRoom {
    /// Its key.
    pub host: String,
    /// What it lends.
    pub lends: Size,
    /// What its tasks reserve.
    pub reserved: Size,
    /// How many they are.
    pub tasks: usize,
}

/// Room that a task holds while it is being placed. Note the task before this is dropped; otherwise the room is free
/// again.
#[must_use = "the room is given back when this is dropped"]
pub struct Held {
    task: String,
    placements: Placements,
}

/// New tasks that there is room for. They do not count any more when this is dropped without [`Admitted::keep`].
#[must_use = "the tasks do not count any more when this is dropped"]
pub struct Admitted {
    lack: Option<Lack>,
    keys: Vec<String>,
    are_written: bool,
    placements: Placements,
}

impl Admitted {
    /// How many they are.
    pub fn count(&self) -> usize {
        self.keys.len()
    }

    /// What there was too little of for the next one.
    pub fn lack(&self) -> Option<Lack> {
        self.lack
    }

    /// They are written, and the watch tells what becomes of them.
    pub fn keep(mut self) {
        self.are_written = true;
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        if !self.are_written {
            let mut inner = self.placements.0.lock();
            for key in &self.keys {
                inner.waiting.remove(key);
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.placements.0.lock().held.remove(&self.task);
    }
}

impl Placements {
    /// Takes note of a task. True when it has let go of a host.
    pub fn note(&self, task: &Task) -> bool {
        let key = task.key();
        let mut inner = self.0.lock();
        let had = inner.forget(&key);
        if task.waits_for_host() {
            inner.waiting.insert(key.clone(), task.size());
        }
        let host = task.container_instance.as_ref().filter(|_| task.last_status != TaskStatus::Stopped);
        let Some(host) = host else { return had };
        let on_host = inner.on_host.entry(host.clone()).or_default();
        on_host.tasks.insert(key.clone());
        on_host.reserved = on_host.reserved.plus(task.size());
        if let Some(own) = &task.network_interface {
            inner.enter_zone(&key, (group(task), own.zone.clone()));
        }
        inner.placed.insert(key, Placed { host: host.clone(), size: task.size() });
        false
    }

    /// Takes note that a task is gone. True when it has let go of a host.
    pub fn forget(&self, key: &str) -> bool {
        self.0.lock().forget(key)
    }

    /// Forgets every task, before all are shown anew. Nothing is known until [`Placements::listed`].
    pub fn clear(&self) {
        let mut inner = self.0.lock();
        // Hosts are watched by themselves, and those who hold room do not know of this.
        let (hosts, held) = (std::mem::take(&mut inner.hosts), std::mem::take(&mut inner.held));
        *inner = Inner { hosts, held, ..Inner::default() };
    }

    /// Every task has been shown.
    pub fn listed(&self) {
        self.0.lock().tasks_are_listed = true;
    }

    /// Whether every task has been shown.
    pub fn are_listed(&self) -> bool {
        self.0.lock().tasks_are_listed
    }

    /// Takes note of a host.
    pub fn note_host(&self, host: &ContainerInstance) {
        let mut inner = self.0.lock();
        if host.takes_tasks() {
            inner.hosts.insert(host.key(), host.size());
        } else {
            inner.hosts.remove(&host.key());
        }
    }

    /// Takes note that a host is gone.
    pub fn forget_host(&self, key: &str) {
        self.0.lock().hosts.remove(key);
    }

    /// Forgets every host, before all are shown anew.
    pub fn clear_hosts(&self) {
        self.0.lock().hosts.clear();
    }

    /// Number of tasks on a host.
    pub fn load(&self, host: &str) -> usize {
        self.0.lock().on_host.get(host).map_or(0, |own| own.tasks.len())
    }

    /// Which of these zones has the fewest tasks of the group of a task, its service or its family: the first of those that
    /// are alike. The task is counted there from now on, so that others that look for a place at the same time see it; until
    /// it is noted anew, forgotten or given up.
    pub fn intend(&self, key: &str, task: &Task, zones: &[&str]) -> usize {
        let mut inner = self.0.lock();
        inner.leave_zone(key);
        let group = group(task);
        let load = |zone: &str| inner.in_zone.get(&(group.clone(), zone.to_owned())).copied();
        let emptiest = (0..zones.len()).min_by_key(|index| load(zones[*index]).unwrap_or_default());
        let emptiest = emptiest.unwrap_or_default();
        if let Some(zone) = zones.get(emptiest) {
            inner.enter_zone(key, (group, (*zone).to_owned()));
        }
        emptiest
    }

    /// A task that was to be placed is not.
    pub fn give_up(&self, key: &str) {
        let mut inner = self.0.lock();
        if !inner.placed.contains_key(key) {
            inner.leave_zone(key);
        }
    }

    /// The tasks on a host.
    pub fn tasks_on(&self, host: &str) -> Vec<String> {
        self.0.lock().on_host.get(host).into_iter().flat_map(|own| &own.tasks).cloned().collect()
    }

    /// What a host has too little of for a task now.
    pub fn lack(&self, host: &ContainerInstance, task: &Task) -> Option<Lack> {
        let inner = self.0.lock();
        host.size().minus(inner.reserved(&host.key(), &task.key())).lack_for(task.size())
    }

    /// Holds room on a host for a task, or says what the host has too little of.
    pub fn hold(&self, host: &ContainerInstance, task: &Task) -> Result<Held, Lack> {
        let (host_key, key) = (host.key(), task.key());
        let mut inner = self.0.lock();
        if let Some(lack) = host.size().minus(inner.reserved(&host_key, &key)).lack_for(task.size()) {
            return Err(lack);
        }
        inner.held.insert(key.clone(), (host_key, task.size()));
        Ok(Held { task: key, placements: self.clone() })
    }

    /// Which of these new tasks, the first ones, there is room for beside those that wait already, and what the next
    /// lacks. Where no host takes tasks, or not everything is known yet, they may all come and wait. Those that come count
    /// from now on.
    pub fn admit(&self, tasks: &[Task]) -> Admitted {
        let mut inner = self.0.lock();
        let (count, lack) = inner.room_for(tasks);
        let keys: Vec<String> = tasks[..count].iter().map(Stored::key).collect();
        for (key, task) in keys.iter().zip(tasks) {
            inner.waiting.insert(key.clone(), task.size());
        }
        Admitted { lack, keys, are_written: false, placements: self.clone() }
    }

    /// The hosts that take tasks.
    pub fn hosts(&self) -> Vec<HostRoom> {
        let inner = self.0.lock();
        let room = |(host, lends): (&String, &Size)| HostRoom {
            host: host.clone(),
            lends: *lends,
            reserved: inner.reserved(host, ""),
            tasks: inner.on_host.get(host).map_or(0, |own| own.tasks.len()),
        };
        inner.hosts.iter().map(room).collect()
    }
}

/// Takes room for one task from the first host that has it; otherwise what the last one has too little of.
fn take(free: &mut [Size], wanted: Size) -> Result<(), Option<Lack>> {
    let mut lack = None;
    for own in free {
        lack = own.lack_for(wanted);
        if lack.is_none() {
            *own = own.minus(wanted);
            return Ok(());
        }
    }
    Err(lack)
}

fn group(task: &Task) -> String {
    format!("{}/{}/{}", task.account, task.cluster, task.group)
}

impl Inner {
    /// How many of these tasks find room, one after the other, and what the next has too little of.
    fn room_for(&self, tasks: &[Task]) -> (usize, Option<Lack>) {
        if !self.tasks_are_listed || self.hosts.is_empty() {
            return (tasks.len(), None);
        }
        let mut free: Vec<Size> =
            self.hosts.iter().map(|(host, lends)| lends.minus(self.reserved(host, ""))).collect();
        for (_, size) in self.waiting.iter().filter(|(task, _)| !self.held.contains_key(*task)) {
            // One that fits nowhere takes no room from others.
            let _ = take(&mut free, *size);
        }
        for (found, task) in tasks.iter().enumerate() {
            if let Err(lack) = take(&mut free, task.size()) {
                return (found, lack);
            }
        }
        (tasks.len(), None)
    }

    /// What is reserved on a host, but by one task.
    fn reserved(&self, host: &str, but: &str) -> Size {
        let placed = self.on_host.get(host).map(|own| own.reserved).unwrap_or_default();
        let own = self.placed.get(but).filter(|placed| placed.host == host).map(|placed| placed.size);
        let held = self.held.iter().filter(|(task, (at, _))| {
            // One that was noted while it still holds its room counts once.
            at == host && *task != but && !self.placed.contains_key(*task)
        });
        held.fold(placed.minus(own.unwrap_or_default()), |sum, (_, (_, size))| sum.plus(*size))
    }

    fn enter_zone(&mut self, key: &str, place: (String, String)) {
        *self.in_zone.entry(place.clone()).or_default() += 1;
        self.zone_of.insert(key.to_owned(), place);
    }

    fn leave_zone(&mut self, key: &str) {
        if let Some(place) = self.zone_of.remove(key)
            && let Some(count) = self.in_zone.get_mut(&place)
        {
            *count -= 1;
            if *count == 0 {
                self.in_zone.remove(&place);
            }
        }
    }

    /// True when the task was on a host.
    fn forget(&mut self, key: &str) -> bool {
        self.waiting.remove(key);
        self.leave_zone(key);
        let Some(placed) = self.placed.remove(key) else { return false };
        if let Some(own) = self.on_host.get_mut(&placed.host) {
            own.tasks.remove(key);
            own.reserved = own.reserved.minus(placed.size);
            if own.tasks.is_empty() {
                self.on_host.remove(&placed.host);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests;
