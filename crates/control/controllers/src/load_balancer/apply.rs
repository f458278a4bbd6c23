//! Writes what a plan says.

use super::observe::Rows;
use super::plan::Plan;
use super::{DataPlane, LoadBalancerController};
use resources::ecs::Address;
use resources::elb::{LoadBalancer, LoadBalancerState, Target};
use store::{StoreError, Versioned};

/// Rows of one transaction.
const AT_ONCE: usize = 50;

impl<D: DataPlane> LoadBalancerController<D> {
    /// Gives addresses to load balancers without one. True when a row was written.
    pub(super) async fn give_addresses(&self, rows: &Rows) -> Result<bool, StoreError> {
        let mut is_changed = false;
        for row in rows.balancers.iter().filter(|row| row.address.is_none()) {
            is_changed |= self.give_address(row).await?;
        }
        Ok(is_changed)
    }

    async fn give_address(&self, row: &Versioned<LoadBalancer>) -> Result<bool, StoreError> {
        let Some(address) = self.addresses.take(&self.tables).await? else {
            let reason = "The subnet has no free address (InsufficientFreeAddressesInSubnet)";
            let state = LoadBalancerState::Failed(reason.to_owned());
            if row.state == state {
                return Ok(false);
            }
            self.tables.replace(row, LoadBalancer { state, ..LoadBalancer::clone(row) }).await?;
            return Ok(true);
        };
        let owner = Address { address, task: row.address_owner() };
        let new = LoadBalancer { address: Some(address), ..LoadBalancer::clone(row) };
        match self.tables.batch().replace(row, &new).create(&owner).commit().await {
            Ok(_) => {
                self.addresses.keep(address);
                Ok(true)
            }
            Err(error) => {
                // Somebody else's: remember it as used. Nobody's: the load balancer has changed.
                match self.tables.get::<Address>(&address.to_string()).await {
                    Ok(None) => self.addresses.give_back(address),
                    Ok(Some(_)) | Err(_) => self.addresses.keep(address),
                }
                Err(error)
            }
        }
    }

    /// Writes states and health. What somebody else has written meanwhile is looked at again.
    pub(super) async fn apply(&self, plan: Plan) -> Result<(), StoreError> {
        for (row, state) in plan.balancers {
            self.tables.replace(&row, LoadBalancer { state, ..LoadBalancer::clone(&row) }).await?;
        }
        for some in plan.healths.chunks(AT_ONCE) {
            let mut batch = self.tables.batch();
            for (row, health) in some {
                batch = batch.replace(row, &Target { health: health.clone(), ..Target::clone(row) });
            }
            batch.commit().await?;
        }
        for some in plan.gone.chunks(AT_ONCE) {
            let mut batch = self.tables.batch();
            for row in some {
                batch = batch.delete(row);
            }
            batch.commit().await?;
        }
        Ok(())
    }
}
