//! Writes what a plan says.

use super::observe::Rows;
use super::plan::Plan;
use super::{DataPlane, LoadBalancerController};
use resources::ec2::InterfaceUse;
use resources::elb::{LoadBalancer, LoadBalancerState, Target};
use store::{StoreError, Versioned};
use virtual_networks::VirtualNetworks;

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

    /// Gives a load balancer a network interface in the first of its subnets.
    async fn give_address(&self, row: &Versioned<LoadBalancer>) -> Result<bool, StoreError> {
        let networks = &self.settings.networks;
        let subnet = match row.zones.first() {
            Some(zone) => networks.subnet(&row.account, &zone.subnet).await?,
            None => None,
        };
        let Some(subnet) = subnet else {
            return self.failed(row, "The subnet of the load balancer does not exist (SubnetNotFound)").await;
        };
        let Some(reserved) = networks.reserve(&subnet).await? else {
            let reason = "The subnet has no free address (InsufficientFreeAddressesInSubnet)";
            return self.failed(row, reason).await;
        };
        let mut groups = Vec::new();
        for id in &row.security_groups {
            groups.extend(networks.group(&row.account, id).await?);
        }
        let used_by = InterfaceUse::LoadBalancer { arn: row.arn.clone() };
        let description =
            format!("ELB {}", row.arn.split_once(":loadbalancer/").map_or("", |(_, rest)| rest));
        let interface = networks.interface(&subnet, &groups, reserved.address(), used_by, description);
        let new = LoadBalancer {
            address: Some(reserved.address()),
            interface: Some(interface.id.clone()),
            ..LoadBalancer::clone(row)
        };
        let batch = self.tables.batch().replace(row, &new);
        VirtualNetworks::attach(batch, &subnet, &groups, &interface).commit().await?;
        reserved.keep();
        Ok(true)
    }

    async fn failed(&self, row: &Versioned<LoadBalancer>, reason: &str) -> Result<bool, StoreError> {
        let state = LoadBalancerState::Failed(reason.to_owned());
        if row.state == state {
            return Ok(false);
        }
        self.tables.replace(row, LoadBalancer { state, ..LoadBalancer::clone(row) }).await?;
        Ok(true)
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
