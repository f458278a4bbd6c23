//! Ids, and what is answered where there is nothing behind them.

use crate::errors::{self, error};
use crate::{Ec2Service, errors::store};
use aws_wire::{ErrorShape, RequestContext, ServiceError};
use resources::Stored;
use resources::ec2::{NetworkInterface, SecurityGroup, Subnet, Vpc};
use store::Versioned;

/// A kind of resource with ids.
pub(crate) struct Kind {
    /// What its ids begin with, without the dash.
    pub(crate) prefix: &'static str,
    /// Its name in ARNs and tags.
    pub(crate) name: &'static str,
    /// What errors call it.
    pub(crate) words: &'static str,
    not_found: &'static ErrorShape,
    malformed: &'static ErrorShape,
}

pub(crate) static VPC: Kind = Kind {
    prefix: "vpc",
    name: "vpc",
    words: "vpc ID",
    not_found: &errors::VPC_NOT_FOUND,
    malformed: &errors::VPC_MALFORMED,
};
pub(crate) static SUBNET: Kind = Kind {
    prefix: "subnet",
    name: "subnet",
    words: "subnet ID",
    not_found: &errors::SUBNET_NOT_FOUND,
    malformed: &errors::SUBNET_MALFORMED,
};
pub(crate) static GROUP: Kind = Kind {
    prefix: "sg",
    name: "security-group",
    words: "security group",
    not_found: &errors::GROUP_NOT_FOUND,
    malformed: &errors::GROUP_MALFORMED,
};
pub(crate) static RULE: Kind = Kind {
    prefix: "sgr",
    name: "security-group-rule",
    words: "security group rule ID",
    not_found: &errors::RULE_NOT_FOUND,
    malformed: &errors::RULE_MALFORMED,
};
pub(crate) static INTERFACE: Kind = Kind {
    prefix: "eni",
    name: "network-interface",
    words: "networkInterface ID",
    not_found: &errors::INTERFACE_NOT_FOUND,
    malformed: &errors::INTERFACE_MALFORMED,
};
pub(crate) static GATEWAY: Kind = Kind {
    prefix: "igw",
    name: "internet-gateway",
    words: "internetGateway ID",
    not_found: &errors::GATEWAY_NOT_FOUND,
    malformed: &errors::GATEWAY_MALFORMED,
};
pub(crate) static ROUTE_TABLE: Kind = Kind {
    prefix: "rtb",
    name: "route-table",
    words: "routeTable ID",
    not_found: &errors::TABLE_NOT_FOUND,
    malformed: &errors::TABLE_MALFORMED,
};

/// All of them.
pub(crate) static KINDS: [&Kind; 7] = [&VPC, &SUBNET, &GROUP, &RULE, &INTERFACE, &GATEWAY, &ROUTE_TABLE];

impl Kind {
    /// The kind that an id is of.
    pub(crate) fn of(id: &str) -> Option<&'static Self> {
        let prefix = id.split_once('-')?.0;
        KINDS.into_iter().find(|kind| kind.prefix == prefix)
    }

    /// There is none with this id; or it cannot be one.
    pub(crate) fn not_found(&self, id: &str) -> ServiceError {
        let rest = id.strip_prefix(self.prefix).and_then(|rest| rest.strip_prefix('-'));
        if rest.is_some_and(|rest| !rest.is_empty()) {
            error(self.not_found, format!("The {} '{id}' does not exist", self.words))
        } else {
            error(self.malformed, format!("Invalid id: \"{id}\" (expecting \"{}-...\")", self.prefix))
        }
    }
}

impl Ec2Service {
    /// A row by its id.
    pub(crate) async fn find<T: Stored>(
        &self,
        context: &RequestContext,
        id: &str,
    ) -> Result<Option<Versioned<T>>, ServiceError> {
        // A slash would lead into the rows of another account.
        if id.contains('/') {
            return Ok(None);
        }
        self.tables.get::<T>(&format!("{}/{id}", context.account)).await.map_err(store)
    }

    /// All rows of the caller's account.
    pub(crate) async fn all<T: Stored>(
        &self,
        context: &RequestContext,
    ) -> Result<Vec<Versioned<T>>, ServiceError> {
        self.tables.list_all::<T>(&format!("{}/", context.account)).await.map_err(store)
    }

    /// A VPC that is there.
    pub(crate) async fn vpc(
        &self,
        context: &RequestContext,
        id: &str,
    ) -> Result<Versioned<Vpc>, ServiceError> {
        self.find::<Vpc>(context, id).await?.ok_or_else(|| VPC.not_found(id))
    }

    /// A subnet that is there.
    pub(crate) async fn subnet(
        &self,
        context: &RequestContext,
        id: &str,
    ) -> Result<Versioned<Subnet>, ServiceError> {
        self.find::<Subnet>(context, id).await?.ok_or_else(|| SUBNET.not_found(id))
    }

    /// A security group that is there.
    pub(crate) async fn group(
        &self,
        context: &RequestContext,
        id: &str,
    ) -> Result<Versioned<SecurityGroup>, ServiceError> {
        self.find::<SecurityGroup>(context, id).await?.ok_or_else(|| GROUP.not_found(id))
    }

    /// A network interface that is there.
    pub(crate) async fn network_interface(
        &self,
        context: &RequestContext,
        id: &str,
    ) -> Result<Versioned<NetworkInterface>, ServiceError> {
        self.find::<NetworkInterface>(context, id).await?.ok_or_else(|| INTERFACE.not_found(id))
    }

    /// The default VPC, if it was not deleted.
    pub(crate) async fn default_vpc(
        &self,
        context: &RequestContext,
    ) -> Result<Option<Versioned<Vpc>>, ServiceError> {
        Ok(self.all::<Vpc>(context).await?.into_iter().find(|vpc| vpc.is_default))
    }
}

impl Ec2Service {
    /// Refuses an id that nothing of the account has, whatever its kind.
    pub(crate) async fn require_resource(
        &self,
        context: &RequestContext,
        id: &str,
    ) -> Result<(), ServiceError> {
        let unknown = || error(&errors::ID, format!("The ID '{id}' is not valid"));
        let kind = Kind::of(id).ok_or_else(unknown)?;
        let is_there = match kind.prefix {
            "vpc" => return self.vpc(context, id).await.map(|_| ()),
            "subnet" => return self.subnet(context, id).await.map(|_| ()),
            "sg" => return self.group(context, id).await.map(|_| ()),
            "eni" => return self.network_interface(context, id).await.map(|_| ()),
            "sgr" => {
                let groups = self.all::<SecurityGroup>(context).await?;
                groups.iter().any(|group| group.rules.iter().any(|rule| rule.id == id))
            }
            "igw" => {
                let vpcs = self.all::<Vpc>(context).await?;
                vpcs.iter().any(|vpc| vpc.internet_gateway.as_deref() == Some(id))
            }
            "rtb" => self.all::<Vpc>(context).await?.iter().any(|vpc| vpc.route_table == id),
            _ => return Err(unknown()),
        };
        if is_there { Ok(()) } else { Err(kind.not_found(id)) }
    }
}
