//! The life of a task as one total function.

use serde::{Deserialize, Serialize};

/// Where a task is in its life; the names and their order are those of the ECS developer guide's "task lifecycle".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TaskStatus {
    /// Accepted; a host and an address are being found.
    Provisioning,
    /// Sent to a host, which pulls images.
    Pending,
    /// Containers are starting.
    Activating,
    /// Every essential container has started.
    Running,
    /// Asked to stop, while it was running.
    Deactivating,
    /// Containers are stopping.
    Stopping,
    /// Containers have stopped; the address is being given back.
    Deprovisioning,
    /// Over.
    Stopped,
}

/// What happens to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskEvent {
    /// The controller gave it a host and an address.
    Placed,
    /// A container has started, others have not.
    Activated,
    /// The agent says it runs.
    Started,
    /// A user, a controller or an exit wants it stopped.
    StopWanted,
    /// The agent says every container has stopped.
    ContainersStopped,
    /// The controller has given the address back, or there was none.
    Released,
}

/// The status after an event. Events that come late or twice leave it as it is, and nothing moves it backwards.
#[expect(clippy::match_same_arms, reason = "one line a status, so that the table can be read")]
pub const fn next(status: TaskStatus, event: TaskEvent) -> TaskStatus {
    use TaskEvent as E;
    use TaskStatus as S;
    match (status, event) {
        (S::Provisioning, E::Placed) => S::Pending,
        (S::Pending, E::Activated) => S::Activating,
        (S::Pending | S::Activating, E::Started) => S::Running,
        // Nothing runs anywhere yet, so there is nothing to stop.
        (S::Provisioning, E::StopWanted | E::ContainersStopped) => S::Deprovisioning,
        (S::Pending | S::Activating, E::StopWanted) => S::Stopping,
        (S::Running, E::StopWanted) => S::Deactivating,
        (S::Deactivating, E::StopWanted) => S::Stopping,
        (S::Pending | S::Activating | S::Running | S::Deactivating | S::Stopping, E::ContainersStopped) => {
            S::Deprovisioning
        }
        (S::Deprovisioning, E::Released) => S::Stopped,
        (S::Provisioning, E::Activated | E::Started | E::Released) => S::Provisioning,
        (S::Pending, E::Placed | E::Released) => S::Pending,
        (S::Activating, E::Placed | E::Activated | E::Released) => S::Activating,
        (S::Running, E::Placed | E::Activated | E::Started | E::Released) => S::Running,
        (S::Deactivating, E::Placed | E::Activated | E::Started | E::Released) => S::Deactivating,
        (S::Stopping, E::Placed | E::Activated | E::Started | E::StopWanted | E::Released) => S::Stopping,
        (S::Deprovisioning, E::Placed | E::Activated | E::Started | E::StopWanted | E::ContainersStopped) => {
            S::Deprovisioning
        }
        (
            S::Stopped,
            E::Placed | E::Activated | E::Started | E::StopWanted | E::ContainersStopped | E::Released,
        ) => S::Stopped,
    }
}

impl TaskStatus {
    /// As the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provisioning => "PROVISIONING",
            Self::Pending => "PENDING",
            Self::Activating => "ACTIVATING",
            Self::Running => "RUNNING",
            Self::Deactivating => "DEACTIVATING",
            Self::Stopping => "STOPPING",
            Self::Deprovisioning => "DEPROVISIONING",
            Self::Stopped => "STOPPED",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [TaskStatus; 8] = [
        TaskStatus::Provisioning,
        TaskStatus::Pending,
        TaskStatus::Activating,
        TaskStatus::Running,
        TaskStatus::Deactivating,
        TaskStatus::Stopping,
        TaskStatus::Deprovisioning,
        TaskStatus::Stopped,
    ];
    const EVENTS: [TaskEvent; 6] = [
        TaskEvent::Placed,
        TaskEvent::Activated,
        TaskEvent::Started,
        TaskEvent::StopWanted,
        TaskEvent::ContainersStopped,
        TaskEvent::Released,
    ];

    #[test]
    fn nothing_moves_backwards() {
        for status in ALL {
            for event in EVENTS {
                assert!(next(status, event) >= status, "{status:?} {event:?}");
            }
        }
    }

    #[test]
    fn the_usual_life() {
        let events = [
            (TaskEvent::Placed, "PENDING"),
            (TaskEvent::Activated, "ACTIVATING"),
            (TaskEvent::Started, "RUNNING"),
            (TaskEvent::StopWanted, "DEACTIVATING"),
            (TaskEvent::StopWanted, "STOPPING"),
            (TaskEvent::ContainersStopped, "DEPROVISIONING"),
            (TaskEvent::Released, "STOPPED"),
        ];
        let mut status = TaskStatus::Provisioning;
        for (event, name) in events {
            status = next(status, event);
            assert_eq!(status.as_str(), name);
        }
    }
}
