//! Writes what a plan says.

use super::observe::Rows;
use super::plan::Plan;
use super::{DataPlane, LoadBalancerController};
use resources::ec2::{InterfaceUse, NetworkInterface, Subnet};
use resources::elb::{LoadBalancer, LoadBalancerZone, Target};
use store::{StoreError, Versioned};
use virtual_networks::{Reserved, VirtualNetworks};

/// Rows of one transaction.
const AT_ONCE: usize = 50;

impl<D: DataPlane> LoadBalancerController<D> {
    /// Gives load balancers an address in each of their zones. True when a row was written.
    pub(super) async fn give_addresses(&self, rows: &Rows) -> Result<bool, StoreError> {
        let mut is_changed = false;
        for row in &rows.balancers {
            if row.zones.iter().any(|zone| zone.address.is_none()) {
                is_changed |= self.complete(row).await?;
            }
        }
        Ok(is_changed)
    }

    /// Gives a load balancer a network interface in every zone where it has none, in one transaction. A zone where that
    /// cannot be says why.
    async fn complete(&self, row: &Versioned<LoadBalancer>) -> Result<bool, StoreError> {
        let networks = &self.settings.networks;
        let mut new = LoadBalancer::clone(row);
        let mut batch = self.tables.batch();
        let mut groups = Vec::new();
        for id in &row.security_groups {
            groups.extend(networks.group(&row.account, id).await?);
        }
        let mut all_reserved = Vec::new();
        for zone in new.zones.iter_mut().filter(|zone| zone.address.is_none()) {
            let interface = match self.earlier_interface(row, &zone.subnet).await? {
                Some(known) => known,
                None => match self.reserve(row, &zone.subnet).await? {
                    Ok((subnet, reserved)) => {
                        let used_by = InterfaceUse::LoadBalancer { arn: row.arn.clone() };
                        let name = row.arn.split_once(":loadbalancer/").map_or("", |(_, rest)| rest);
                        let address = reserved.address();
                        let made =
                            networks.interface(&subnet, &groups, address, used_by, format!("ELB {name}"));
                        batch = VirtualNetworks::attach(batch, &subnet, &groups, &made);
                        all_reserved.push(reserved);
                        made
                    }
                    Err(fault) => {
                        zone.fault = Some(fault.to_owned());
                        continue;
                    }
                },
            };
            *zone = LoadBalancerZone {
                address: Some(interface.address),
                interface: Some(interface.id),
                fault: None,
                ..zone.clone()
            };
        }
        if new == *row.value {
            return Ok(false);
        }
        batch.replace(row, &new).commit().await?;
        all_reserved.into_iter().for_each(Reserved::keep);
        Ok(true)
    }

    /// The interface that the load balancer of an earlier version has in a subnet.
    async fn earlier_interface(
        &self,
        row: &LoadBalancer,
        subnet: &str,
    ) -> Result<Option<NetworkInterface>, StoreError> {
        let all = self.tables.list_all::<NetworkInterface>(&format!("{}/", row.account)).await?;
        let is_own = |own: &&Versioned<NetworkInterface>| {
            own.subnet == subnet
                && matches!(&own.used_by, InterfaceUse::LoadBalancer { arn } if *arn == row.arn)
        };
        Ok(all.iter().find(is_own).map(|own| NetworkInterface::clone(own)))
    }

    /// A free address of a subnet, or why there is none.
    async fn reserve(
        &self,
        row: &LoadBalancer,
        subnet: &str,
    ) -> Result<Result<(Versioned<Subnet>, Reserved), &'static str>, StoreError> {
        let networks = &self.settings.networks;
        let Some(subnet) = networks.subnet(&row.account, subnet).await? else {
            return Ok(Err("The subnet of the load balancer does not exist (SubnetNotFound)"));
        };
        Ok(match networks.reserve(&subnet).await? {
            Some(reserved) => Ok((subnet, reserved)),
            None => Err("The subnet has no free address (InsufficientFreeAddressesInSubnet)"),
        })
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
