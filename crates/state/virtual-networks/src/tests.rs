//! Interfaces and default networks over a store in memory.

use super::*;
use environment::Environment;
use resources::ec2::{Peer, Protocol};
use store::MemoryStore;

fn networks(range: &str) -> (VirtualNetworks, Tables) {
    let environment = Environment::real();
    let tables = Tables::new(MemoryStore::new(environment.clone()), environment);
    (VirtualNetworks::new(tables.clone(), range.parse().expect("a range")), tables)
}

fn account() -> AccountId {
    "123456789012".parse().expect("an account")
}

async fn attach(networks: &VirtualNetworks, tables: &Tables, subnet: &Versioned<Subnet>) -> Option<Ipv4Addr> {
    let group = networks.default_group(&account(), &subnet.vpc).await.expect("reads").expect("is there");
    let reserved = networks.reserve(subnet).await.expect("looks")?;
    let address = reserved.address();
    let groups = [group];
    let interface = networks.interface(subnet, &groups, address, InterfaceUse::Nobody, "");
    VirtualNetworks::attach(tables.batch(), subnet, &groups, &interface).commit().await.expect("writes");
    reserved.keep();
    Some(address)
}

#[tokio::test]
async fn an_account_has_one_default_network_until_it_deletes_it() {
    let (networks, tables) = networks("10.88.0.0/16");
    networks.ensure_default(&account()).await.expect("makes");
    networks.ensure_default(&account()).await.expect("makes nothing");
    let vpcs = tables.list_all::<Vpc>("").await.expect("lists");
    assert_eq!(vpcs.len(), 1);
    assert!(matches!(networks.create_default(&account()).await, Err(NoDefaultVpc::Exists(_))));
    let subnets = networks.default_subnets(&account()).await.expect("lists");
    let cidrs: Vec<String> = subnets.iter().map(|subnet| subnet.cidr.to_string()).collect();
    assert_eq!(cidrs, ["10.88.0.0/20", "10.88.16.0/20", "10.88.32.0/20"]);
    let zones: Vec<&str> = subnets.iter().map(|subnet| subnet.zone.as_str()).collect();
    assert_eq!(zones, ["a", "b", "c"]);
    let group = networks.default_group(&account(), &vpcs[0].id).await.expect("reads").expect("is there");
    let peers: Vec<_> = group.rules.iter().map(|rule| (rule.egress, rule.peer.clone())).collect();
    let range = |text: &str| Peer::Range(text.parse().expect("a range"));
    let own = Peer::Group(group.id.clone());
    assert_eq!(peers, [(true, range("0.0.0.0/0")), (false, own), (false, range("10.88.0.1/32"))]);
    assert!(group.rules.iter().all(|rule| rule.protocol == Protocol::All));
    for row in &subnets {
        tables.delete(row).await.expect("deletes");
    }
    tables.delete(&vpcs[0]).await.expect("deletes");
    networks.ensure_default(&account()).await.expect("leaves it deleted");
    assert!(tables.list_all::<Vpc>("").await.expect("lists").is_empty());
    assert!(networks.create_default(&account()).await.expect("makes").is_default);
}

#[tokio::test]
async fn small_ranges_are_quartered() {
    let (networks, _) = networks("198.18.7.0/24");
    let subnets = networks.default_subnets(&account()).await.expect("lists");
    let cidrs: Vec<String> = subnets.iter().map(|subnet| subnet.cidr.to_string()).collect();
    assert_eq!(cidrs, ["198.18.7.0/26", "198.18.7.64/26", "198.18.7.128/26"]);
}

#[tokio::test]
async fn each_address_is_given_once_and_again_when_it_is_free() {
    let (networks, tables) = networks("198.18.7.0/26");
    let subnets = networks.default_subnets(&account()).await.expect("lists");
    let subnet = &subnets[1];
    let mut given = Vec::new();
    while let Some(address) = attach(&networks, &tables, subnet).await {
        given.push(address);
    }
    let all: Vec<Ipv4Addr> = subnet.addresses().map(Ipv4Addr::from_bits).collect();
    assert_eq!(given, all);
    assert_eq!(networks.available(&subnets).await.expect("counts"), [11, 0, 11]);
    // Dropped without a row: free at once.
    let free = networks.reserve(&subnets[0]).await.expect("looks").expect("is free");
    let first = free.address();
    assert!(matches!(networks.reserve_this(first).await, Err(NotReserved::InUse(_))));
    drop(free);
    let same = networks.reserve_this(first).await.expect("is free");
    assert_eq!(same.address(), first);
    let row = tables.list_all::<NetworkInterface>("").await.expect("lists").remove(0);
    let batch = networks.detach(tables.batch(), &row).await.expect("reads");
    batch.commit().await.expect("writes");
    networks.released(row.address);
    assert_eq!(attach(&networks, &tables, subnet).await, Some(row.address));
}

#[tokio::test]
async fn nothing_joins_what_is_being_deleted() {
    let (networks, tables) = networks("10.88.0.0/16");
    let subnet = networks.default_subnets(&account()).await.expect("lists").remove(0);
    let group = networks.default_group(&account(), &subnet.vpc).await.expect("reads").expect("is there");
    tables.replace(&subnet, Subnet { closing: true, ..Subnet::clone(&subnet) }).await.expect("marks");
    assert!(networks.subnet(&account(), &subnet.id).await.expect("reads").is_none());
    let reserved = networks.reserve(&subnet).await.expect("looks").expect("is free");
    let groups = [group];
    let interface = networks.interface(&subnet, &groups, reserved.address(), InterfaceUse::Nobody, "");
    let written = VirtualNetworks::attach(tables.batch(), &subnet, &groups, &interface).commit().await;
    assert!(written.expect_err("is too late").is_conflict());
}
