//! Carries a step out: one transaction each.

use super::TaskController;
use super::observe::Observed;
use super::plan::Step;
use reconcile::Next;
use resources::Stored;
use resources::ecs::{Address, ContainerInstance, NetworkInterface, StopCode, Task, TaskEvent, TaskStatus};
use std::net::Ipv4Addr;
use store::{StoreError, Versioned};

/// What a task shows when its subnet is full.
const NO_ADDRESS: &str = "Unexpected EC2 error while attempting to Create Network Interface";

impl TaskController {
    pub(super) async fn apply(&self, observed: &Observed, step: Step) -> Result<Next, StoreError> {
        match step {
            Step::Nothing => Ok(Next::Settled),
            Step::Wait(rest) | Step::WaitForHost(rest) => Ok(Next::After(rest)),
            Step::Place(host) => self.place(observed, &host).await,
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
        let Some(address) = self.addresses.take(&self.tables).await? else {
            let subnet = observed.task.subnets.first().map_or("", String::as_str);
            let reason = format!("{NO_ADDRESS} in subnet '{subnet}': InsufficientFreeAddressesInSubnet");
            return self.end(observed, Some((StopCode::TaskFailedToStart, reason))).await;
        };
        let key = observed.task.key();
        let mut task = Task::clone(&observed.task);
        task.container_instance = Some(host.key());
        task.network_interface = Some(self.interface(&task, address));
        task.advance(TaskEvent::Placed, self.tables.environment().now());
        let placed = self
            .tables
            .batch()
            .replace(&observed.task, &task)
            .create(&Address { address, task: key.clone() })
            .require_unchanged(host)
            .commit()
            .await;
        match placed {
            Ok(_) => {
                self.addresses.keep(address);
                // The watch will say so again; until then others see the load.
                self.placements.note(&key, &task);
                Ok(Next::Settled)
            }
            Err(error) => {
                // Somebody else's: remember it as used. Nobody's: it was the task or the host that changed.
                match self.tables.get::<Address>(&address.to_string()).await {
                    Ok(None) => self.addresses.give_back(address),
                    Ok(Some(_)) | Err(_) => self.addresses.keep(address),
                }
                Err(error)
            }
        }
    }

    fn interface(&self, task: &Task, address: Ipv4Addr) -> NetworkInterface {
        let environment = self.tables.environment();
        let [a, b, c, d] = address.octets();
        NetworkInterface {
            id: format!("eni-{}", environment.random_hex(17)),
            attachment_id: environment.uuid(),
            // Locally administered, and different for every address of the region.
            mac: format!("02:58:{a:02x}:{b:02x}:{c:02x}:{d:02x}"),
            address,
            gateway: self.addresses.subnet().gateway(),
            prefix: self.addresses.subnet().prefix(),
            subnet_id: task.subnets.first().cloned().unwrap_or_default(),
        }
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
        let batch = self.tables.batch().replace(&observed.task, &task);
        match &observed.address {
            Some(address) => {
                batch.delete(address).commit().await?;
                self.addresses.give_back(address.address);
            }
            None => {
                batch.commit().await?;
            }
        }
        Ok(Next::After(super::plan::KEEP_STOPPED))
    }
}
