//! VPCs as the store has them: the default network of an account, free addresses, and network interfaces. The same for
//! the EC2 API, for tasks and for load balancers.
//!
//! An interface is two rows, itself and its address, made in one transaction with whatever uses it:
//!
//! ```text
//! let Some(reserved) = networks.reserve(&subnet).await? else { /* the subnet is full */ };
//! let interface = networks.interface(&subnet, &groups, reserved.address(), InterfaceUse::LoadBalancer { arn }, "ELB app/web");
//! let batch = VirtualNetworks::attach(tables.batch(), &subnet, &groups, &interface);   // and your own rows
//! batch.commit().await?;
//! reserved.keep();
//! ```
//!
//! and is removed by [`VirtualNetworks::detach`] in another. Addresses of all VPCs of a region are addresses of its
//! host, so an address is used once in the region, whoever's it is. The store decides who has which; what is
//! remembered here only makes looking quick.

mod addresses;
mod adopt;
mod default_network;

pub use addresses::Reserved;
pub use default_network::{NoDefaultVpc, ZONES};

use addresses::Addresses;
use identifiers::AccountId;
use ipnet::Ipv4Net;
use resources::Stored;
use resources::ec2::{Address, InterfaceUse, NetworkInterface, ResourceTags, SecurityGroup, Subnet, Vpc};
use std::net::Ipv4Addr;
use std::sync::Arc;
use store::{Batch, StoreError, Tables, Versioned};

/// The virtual networks of a region. Cheap to clone; clones share what they remember.
#[derive(Clone)]
pub struct VirtualNetworks {
    tables: Tables,
    /// The host's addresses, which default VPCs have.
    range: Ipv4Net,
    addresses: Arc<Addresses>,
}

/// Why an address is not reserved.
#[derive(Debug, thiserror::Error)]
pub enum NotReserved {
    /// The address asked for has somebody.
    #[error("the address {0} is in use")]
    InUse(Ipv4Addr),
    /// The store.
    #[error("look for a free address")]
    Store(#[from] StoreError),
}

impl VirtualNetworks {
    /// Over the region's rows. Default VPCs have the addresses of `range`.
    pub fn new(tables: Tables, range: Ipv4Net) -> Self {
        Self { tables, range, addresses: Arc::default() }
    }

    /// The addresses of default VPCs.
    pub fn range(&self) -> Ipv4Net {
        self.range
    }

    /// The machine's address in default VPCs: what they are reached from, and who resolves names in every VPC.
    pub fn machine(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.range.network().to_bits() | 1)
    }

    /// An address of a subnet that seems free; `None` when there is none left.
    pub async fn reserve(&self, subnet: &Subnet) -> Result<Option<Reserved>, StoreError> {
        Addresses::take(&self.addresses, &self.tables, subnet).await
    }

    /// This address of a subnet.
    pub async fn reserve_this(&self, address: Ipv4Addr) -> Result<Reserved, NotReserved> {
        if self.tables.get::<Address>(&address.to_string()).await?.is_some() {
            return Err(NotReserved::InUse(address));
        }
        Addresses::take_this(&self.addresses, address).ok_or(NotReserved::InUse(address))
    }

    /// A new interface with this address; not written yet.
    pub fn interface(
        &self,
        subnet: &Subnet,
        groups: &[Versioned<SecurityGroup>],
        address: Ipv4Addr,
        used_by: InterfaceUse,
        description: impl Into<String>,
    ) -> NetworkInterface {
        let environment = self.tables.environment();
        let [a, b, c, d] = address.octets();
        NetworkInterface {
            account: subnet.account.clone(),
            id: format!("eni-{}", environment.random_hex(17)),
            subnet: subnet.id.clone(),
            vpc: subnet.vpc.clone(),
            zone: subnet.zone.clone(),
            address,
            // Locally administered, and different for every address of the region.
            mac: format!("02:58:{a:02x}:{b:02x}:{c:02x}:{d:02x}"),
            groups: groups.iter().map(|group| group.id.clone()).collect(),
            description: description.into(),
            used_by,
            client_token: None,
            created_at: environment.now(),
        }
    }

    /// Adds the rows of a new interface to a transaction, which fails when its subnet or a group of it has changed or
    /// is being deleted, or when its address is taken.
    pub fn attach(
        batch: Batch,
        subnet: &Versioned<Subnet>,
        groups: &[Versioned<SecurityGroup>],
        interface: &NetworkInterface,
    ) -> Batch {
        let address = Address { address: interface.address, holder: interface.holder() };
        let batch = batch.create(interface).create(&address).require_unchanged(subnet);
        groups.iter().fold(batch, Batch::require_unchanged)
    }

    /// Takes an interface and its address away in a transaction. Call [`VirtualNetworks::released`] when it is written.
    pub async fn detach(
        &self,
        batch: Batch,
        interface: &Versioned<NetworkInterface>,
    ) -> Result<Batch, StoreError> {
        let batch = batch.delete(interface).delete_any::<ResourceTags>(&interface.key());
        let address = self.tables.get::<Address>(&interface.address.to_string()).await?;
        Ok(match address.filter(|row| row.holder == interface.holder()) {
            Some(address) => batch.delete(&address),
            None => batch,
        })
    }

    /// Remembers that an address has no row any more.
    pub fn released(&self, address: Ipv4Addr) {
        self.addresses.give_back(address);
    }

    /// How many addresses of a subnet are free.
    pub async fn available(&self, subnets: &[Versioned<Subnet>]) -> Result<Vec<u32>, StoreError> {
        let rows = self.tables.list_all::<Address>("").await?;
        let used = |subnet: &Subnet| {
            let addresses = subnet.addresses();
            rows.iter().filter(|row| addresses.contains(&row.address.to_bits())).count() as u32
        };
        Ok(subnets.iter().map(|subnet| subnet.size().saturating_sub(used(subnet))).collect())
    }

    /// A subnet that is there and not being deleted.
    pub async fn subnet(
        &self,
        account: &AccountId,
        id: &str,
    ) -> Result<Option<Versioned<Subnet>>, StoreError> {
        let found = self.tables.get::<Subnet>(&format!("{account}/{id}")).await?;
        Ok(found.filter(|subnet| !subnet.closing))
    }

    /// A security group that is there and not being deleted.
    pub async fn group(
        &self,
        account: &AccountId,
        id: &str,
    ) -> Result<Option<Versioned<SecurityGroup>>, StoreError> {
        let found = self.tables.get::<SecurityGroup>(&format!("{account}/{id}")).await?;
        Ok(found.filter(|group| !group.closing))
    }

    /// The default group of a VPC.
    pub async fn default_group(
        &self,
        account: &AccountId,
        vpc: &str,
    ) -> Result<Option<Versioned<SecurityGroup>>, StoreError> {
        let Some(vpc) = self.tables.get::<Vpc>(&format!("{account}/{vpc}")).await? else { return Ok(None) };
        self.group(account, &vpc.default_group).await
    }
}

#[cfg(test)]
mod tests;
