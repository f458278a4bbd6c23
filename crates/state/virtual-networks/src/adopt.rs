//! Interfaces of tasks that an earlier version started, when addresses had no interface of their own.

use crate::VirtualNetworks;
use resources::ec2::{Address, InterfaceUse, NetworkInterface, Subnet, Vpc};
use resources::ecs::Task;
use std::collections::HashSet;
use store::{StoreError, Versioned};

impl VirtualNetworks {
    /// Gives every task with an address an interface, in the default VPC of its account and with its default group:
    /// it was reached by this machine and by its neighbours before, and so it stays.
    pub async fn adopt(&self) -> Result<(), StoreError> {
        let rows = self.tables.list_all::<Address>("").await?;
        let interfaces = self.tables.list_all::<NetworkInterface>("").await?;
        let known: HashSet<_> = interfaces.iter().map(|interface| interface.address).collect();
        for row in rows.iter().filter(|row| !known.contains(&row.address)) {
            let Some(task) = self.tables.get::<Task>(&row.holder).await? else { continue };
            match self.adopt_task(&task, row).await {
                Ok(()) => {}
                // The task ended meanwhile, or another server was quicker.
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn adopt_task(&self, task: &Versioned<Task>, row: &Versioned<Address>) -> Result<(), StoreError> {
        let Some(own) = task.network_interface.as_ref().filter(|own| own.address == row.address) else {
            return Ok(());
        };
        self.ensure_default(&task.account).await?;
        let prefix = format!("{}/", task.account);
        let vpcs = self.tables.list_all::<Vpc>(&prefix).await?;
        let Some(vpc) = vpcs.iter().find(|vpc| vpc.is_default) else { return Ok(()) };
        let mut subnets = self.tables.list_all::<Subnet>(&prefix).await?;
        subnets.retain(|subnet| subnet.vpc == vpc.id);
        let holds = |subnet: &&Versioned<Subnet>| subnet.cidr.contains(&row.address);
        let Some(subnet) = subnets.iter().find(holds).or(subnets.first()) else { return Ok(()) };
        let interface = NetworkInterface {
            account: task.account.clone(),
            id: own.id.clone(),
            subnet: subnet.id.clone(),
            vpc: vpc.id.clone(),
            zone: own.zone.clone(),
            address: own.address,
            mac: own.mac.clone(),
            groups: vec![vpc.default_group.clone()],
            description: String::new(),
            used_by: InterfaceUse::Task { task: row.holder.clone(), attachment: own.attachment_id.clone() },
            client_token: None,
            created_at: task.created_at,
        };
        self.tables.batch().require_unchanged(row).create(&interface).commit().await.map(|_| ())
    }
}
