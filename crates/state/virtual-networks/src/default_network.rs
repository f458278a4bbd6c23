//! The default VPC of an account: the host's addresses, a subnet in each of three zones, a security group, a route
//! table and a way out.

use crate::VirtualNetworks;
use identifiers::AccountId;
use ipnet::Ipv4Net;
use resources::Stored;
use resources::ec2::{AccountNetwork, Peer, Protocol, SecurityGroup, SecurityGroupRule, Subnet, Vpc};
use store::{Batch, StoreError, Versioned};

/// The zones of a region.
pub const ZONES: [&str; 3] = ["a", "b", "c"];
/// Bits of the mask of a default subnet, as on AWS, where the VPC is large enough.
const SUBNET_PREFIX: u8 = 20;
/// What the default group says of the rule that lets the machine in.
const MACHINE: &str = "this machine, which is the gateway of the VPC";

/// Why no default VPC is made.
#[derive(Debug, thiserror::Error)]
pub enum NoDefaultVpc {
    /// There is one.
    #[error("there is a default VPC already, {0}")]
    Exists(String),
    /// The store.
    #[error("write the default VPC")]
    Store(#[from] StoreError),
}

impl VirtualNetworks {
    /// Makes the default VPC of an account, if it never had one.
    pub async fn ensure_default(&self, account: &AccountId) -> Result<(), StoreError> {
        if self.tables.get::<AccountNetwork>(account.as_str()).await?.is_some() {
            return Ok(());
        }
        let (batch, _) = self.default_network(account);
        match batch.create(&AccountNetwork { account: account.clone() }).commit().await {
            // Somebody else was quicker.
            Err(error) if error.is_conflict() => Ok(()),
            other => other.map(|_| ()),
        }
    }

    /// Makes a default VPC for an account that has none any more.
    pub async fn create_default(&self, account: &AccountId) -> Result<Vpc, NoDefaultVpc> {
        self.ensure_default(account).await?;
        let vpcs = self.tables.list_all::<Vpc>(&format!("{account}/")).await?;
        if let Some(vpc) = vpcs.iter().find(|vpc| vpc.is_default) {
            return Err(NoDefaultVpc::Exists(vpc.id.clone()));
        }
        let marker = self.tables.get::<AccountNetwork>(account.as_str()).await?;
        let (batch, vpc) = self.default_network(account);
        // Written anew, so that two calls at a time make one.
        let batch = match &marker {
            Some(marker) => batch.replace(marker, &AccountNetwork::clone(marker)),
            None => batch.create(&AccountNetwork { account: account.clone() }),
        };
        batch.commit().await?;
        Ok(vpc)
    }

    fn default_network(&self, account: &AccountId) -> (Batch, Vpc) {
        let (vpc, mut group) = self.vpc(account, self.range, true);
        group.rules.push(SecurityGroupRule {
            id: self.id("sgr"),
            egress: false,
            protocol: Protocol::All,
            peer: Peer::Range(self.machine().into()),
            description: Some(MACHINE.to_owned()),
        });
        let batch = self.tables.batch().create(&vpc).create(&group);
        let batch = ZONES
            .iter()
            .zip(default_subnets(self.range))
            .fold(batch, |batch, (zone, cidr)| batch.create(&self.new_subnet(&vpc, cidr, zone, true)));
        (batch, vpc)
    }

    /// A VPC and its default security group; not written yet. Without a way out, unless it is a default one.
    pub fn vpc(&self, account: &AccountId, cidr: Ipv4Net, is_default: bool) -> (Vpc, SecurityGroup) {
        let vpc = Vpc {
            account: account.clone(),
            id: self.id("vpc"),
            cidr,
            is_default,
            default_group: self.id("sg"),
            route_table: self.id("rtb"),
            internet_gateway: is_default.then(|| self.id("igw")),
            dns_support: true,
            dns_hostnames: is_default,
            address_metrics: false,
            closing: false,
            created_at: self.tables.environment().now(),
        };
        let within = SecurityGroupRule {
            id: self.id("sgr"),
            egress: false,
            protocol: Protocol::All,
            peer: Peer::Group(vpc.default_group.clone()),
            description: None,
        };
        let mut group = self.security_group(&vpc, SecurityGroup::DEFAULT, "default VPC security group");
        group.id.clone_from(&vpc.default_group);
        group.rules.push(within);
        (vpc, group)
    }

    /// A security group that lets everything out and nothing in; not written yet.
    pub fn security_group(&self, vpc: &Vpc, name: &str, description: &str) -> SecurityGroup {
        SecurityGroup {
            account: vpc.account.clone(),
            id: self.id("sg"),
            vpc: vpc.id.clone(),
            name: name.to_owned(),
            description: description.to_owned(),
            rules: vec![SecurityGroupRule {
                id: self.id("sgr"),
                egress: true,
                protocol: Protocol::All,
                peer: Peer::Range(Ipv4Net::default()),
                description: None,
            }],
            closing: false,
            created_at: self.tables.environment().now(),
        }
    }

    /// A subnet; not written yet.
    pub fn new_subnet(&self, vpc: &Vpc, cidr: Ipv4Net, zone: &str, default_for_zone: bool) -> Subnet {
        Subnet {
            account: vpc.account.clone(),
            id: self.id("subnet"),
            vpc: vpc.id.clone(),
            cidr,
            zone: zone.to_owned(),
            default_for_zone,
            map_public_ip: default_for_zone,
            closing: false,
            created_at: self.tables.environment().now(),
        }
    }

    /// A new id of a kind of resource, such as `subnet-0123456789abcdef0`.
    pub fn id(&self, kind: &str) -> String {
        format!("{kind}-{}", self.tables.environment().random_hex(17))
    }

    /// The default subnets of an account, by zone; none where they were deleted.
    pub async fn default_subnets(&self, account: &AccountId) -> Result<Vec<Versioned<Subnet>>, StoreError> {
        self.ensure_default(account).await?;
        let mut subnets = self.tables.list_all::<Subnet>(&format!("{account}/")).await?;
        subnets.retain(|subnet| subnet.default_for_zone && !subnet.closing);
        subnets.sort_by_key(|subnet| (subnet.zone.clone(), subnet.key()));
        Ok(subnets)
    }
}

/// The first subnets of a VPC: of 4096 addresses, or a quarter of a VPC that has not as many for each.
fn default_subnets(range: Ipv4Net) -> impl Iterator<Item = Ipv4Net> {
    let prefix = SUBNET_PREFIX.max(range.prefix_len() + 2).min(32);
    // A longer prefix than the range's, and no longer than 32, always divides it.
    range.subnets(prefix).into_iter().flatten()
}
