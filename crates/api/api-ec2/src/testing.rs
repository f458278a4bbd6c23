//! What the tests of this crate share: a service over an empty store, on a machine that is in 172.16.0.0/12.

use crate::{Ec2Service, MachineNetworks};
use aws_wire::{RequestContext, ServiceError};
use environment::Environment;
use ipnet::Ipv4Net;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use store::{MemoryStore, Tables};
use virtual_networks::VirtualNetworks;

pub(crate) struct Fixture {
    pub(crate) service: Ec2Service,
    pub(crate) context: RequestContext,
}

struct Machine;

impl MachineNetworks for Machine {
    fn overlapping(&self, range: Ipv4Net) -> Option<Ipv4Net> {
        let own: Ipv4Net = "172.16.0.0/12".parse().expect("a range");
        (own.contains(&range) || range.contains(&own)).then_some(own)
    }
}

pub(crate) fn fixture() -> Fixture {
    let environment = Environment::real();
    let tables = Tables::new(MemoryStore::new(environment.clone()), environment.clone());
    let networks = VirtualNetworks::new(tables.clone(), "10.88.0.0/16".parse().expect("a range"));
    let context = RequestContext {
        account: "123456789012".parse().expect("an account"),
        region: "us-east-1".parse().expect("a region"),
        principal_arn: "arn:aws:iam::123456789012:root".into(),
        principal_id: "123456789012".into(),
        request_id: "request".into(),
        source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        host: "127.0.0.1:4566".into(),
        time: environment.now(),
        extensions: aws_wire::Extensions::new(),
    };
    Fixture { service: Ec2Service::new(tables, networks, Arc::new(Machine)), context }
}

/// The code of an error.
pub(crate) fn code<T>(result: Result<T, ServiceError>) -> &'static str {
    result.err().expect("an error").shape.name
}
