//! Carries a step out: one transaction each.

use super::TaskController;
use super::network::Network;
use super::observe::Observed;
use super::plan::Step;
use reconcile::Next;
use resources::Stored;
use resources::ec2::InterfaceUse;
use resources::ecs::{ContainerInstance, NetworkInterface, StopCode, Task, TaskEvent, TaskStatus};
use store::{StoreError, Versioned};
use virtual_networks::VirtualNetworks;

impl TaskController {
    pub(super) async fn apply(&self, observed: &Observed, step: Step) -> Result<Next, StoreError> {
        match step {
            Step::Nothing => Ok(Next::Settled),
            Step::Wait(rest) | Step::WaitForHost(rest) => Ok(Next::After(rest)),
            Step::WaitForRoom(lack, rest) => {
                if observed.task.lack != Some(lack) {
                    let task = Task { lack: Some(lack), ..Task::clone(&observed.task) };
                    self.tables.replace(&observed.task, task).await?;
                }
                Ok(Next::After(rest))
            }
            Step::Place(host) => {
                let placed = self.place(observed, &host).await;
                if placed.is_err() {
                    // It has no place yet; where it has, the watch says so.
                    self.placements.give_up(&observed.task.key());
                }
                placed
            }
            Step::Release => self.end(observed, None).await,
            Step::Abandon(code, reason) => self.end(observed, Some((code, reason))).await,
            Step::Reap => {
                self.tables.delete(&observed.task).await?;
                Ok(Next::Settled)
            }
        }
    }

    async fn place(
        &self,
        observed: &Observed,
        host: &Versioned<ContainerInstance>,
    ) -> Result<Next, StoreError> {
        // Others may have taken the room since it was looked for: the step is taken again.
        let Ok(held) = self.placements.hold(host, &observed.task) else {
            return Err(StoreError::Conflict(observed.task.key()));
        };
        let network = match self.network_of(&observed.task).await? {
            Ok(network) => network,
            Err(reason) => {
                self.placements.give_up(&observed.task.key());
                return self.end(observed, Some((StopCode::TaskFailedToStart, reason))).await;
            }
        };
        let key = observed.task.key();
        let mut task = Task::clone(&observed.task);
        task.container_instance = Some(host.key());
        task.lack = None;
        let attachment = self.tables.environment().uuid();
        let used_by = InterfaceUse::Task { task: key.clone(), attachment: attachment.clone() };
        let Network { subnet, groups, reserved } = network;
        let interface = self.networks.interface(&subnet, &groups, reserved.address(), used_by, "");
        task.network_interface = Some(NetworkInterface {
            id: interface.id.clone(),
            attachment_id: attachment,
            mac: interface.mac.clone(),
            address: interface.address,
            gateway: subnet.gateway(),
            prefix: subnet.cidr.prefix_len(),
            name_server: Some(self.networks.machine()),
            subnet_id: subnet.id.clone(),
            zone: subnet.zone.clone(),
        });
        task.advance(TaskEvent::Placed, self.tables.environment().now());
        let batch = self.tables.batch().replace(&observed.task, &task).require_unchanged(host);
        // Dropped without a row, the address is free again.
        let written = VirtualNetworks::attach(batch, &subnet, &groups, &interface).commit().await;
        if written.as_ref().is_err_and(|error| !error.is_conflict()) {
            // It may be written all the same, so its room is taken until the watch or the next attempt says otherwise.
            self.placements.note(&task);
        }
        written?;
        reserved.keep();
        // The watch will say so again; until then others see the load.
        self.placements.note(&task);
        drop(held);
        Ok(Next::Settled)
    }

    /// Ends a task and gives its address back.
    async fn end(&self, observed: &Observed, why: Option<(StopCode, String)>) -> Result<Next, StoreError> {
        let now = self.tables.environment().now();
        let mut task = Task::clone(&observed.task);
        if let Some((code, reason)) = why {
            task.want_stop(code, reason, now);
        }
        task.advance(TaskEvent::StopWanted, now);
        task.advance(TaskEvent::ContainersStopped, now);
        task.advance(TaskEvent::Released, now);
        debug_assert_eq!(task.last_status, TaskStatus::Stopped);
        for container in &mut task.containers {
            "STOPPED".clone_into(&mut container.last_status);
        }
        let mut batch = self.tables.batch().replace(&observed.task, &task);
        if let Some(interface) = &observed.interface {
            batch = self.networks.detach(batch, interface).await?;
        }
        batch.commit().await?;
        if let Some(interface) = &observed.interface {
            self.networks.released(interface.address);
        }
        Ok(Next::After(super::plan::KEEP_STOPPED))
    }
}
