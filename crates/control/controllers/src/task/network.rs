//! Where in its VPC a task is: in the emptiest zone of its subnets that has a free address, with its security groups.

use super::TaskController;
use resources::Stored;
use resources::ec2::{SecurityGroup, Subnet};
use resources::ecs::Task;
use store::{StoreError, Versioned};
use virtual_networks::Reserved;

/// What a task shows when it gets no interface.
const NO_INTERFACE: &str = "Unexpected EC2 error while attempting to Create Network Interface";

/// A place for a task.
pub(super) struct Network {
    pub(super) subnet: Versioned<Subnet>,
    pub(super) groups: Vec<Versioned<SecurityGroup>>,
    pub(super) reserved: Reserved,
}

impl TaskController {
    /// A place for a task, or the reason why there is none.
    pub(super) async fn network_of(&self, task: &Task) -> Result<Result<Network, String>, StoreError> {
        let mut subnets = Vec::new();
        for id in &task.subnets {
            subnets.extend(self.networks.subnet(&task.account, id).await?);
        }
        let failed = |code: &str| {
            let subnet = task.subnets.first().map_or("", String::as_str);
            Ok(Err(format!("{NO_INTERFACE} in subnet '{subnet}': {code}")))
        };
        let Some(first) = subnets.first() else { return failed("InvalidSubnetID.NotFound") };
        let Some(groups) = self.groups_of(task, &first.vpc).await? else {
            return failed("InvalidGroup.NotFound");
        };
        let key = task.key();
        while !subnets.is_empty() {
            let zones: Vec<&str> = subnets.iter().map(|subnet| subnet.zone.as_str()).collect();
            let subnet = subnets.remove(self.placements.intend(&key, task, &zones));
            if let Some(reserved) = self.networks.reserve(&subnet).await? {
                return Ok(Ok(Network { subnet, groups, reserved }));
            }
        }
        failed("InsufficientFreeAddressesInSubnet")
    }

    async fn groups_of(
        &self,
        task: &Task,
        vpc: &str,
    ) -> Result<Option<Vec<Versioned<SecurityGroup>>>, StoreError> {
        if task.security_groups.is_empty() {
            let default = self.networks.default_group(&task.account, vpc).await?;
            return Ok(default.map(|group| vec![group]));
        }
        let mut groups = Vec::new();
        for id in &task.security_groups {
            let Some(group) = self.networks.group(&task.account, id).await? else { return Ok(None) };
            groups.push(group);
        }
        Ok(Some(groups))
    }
}
