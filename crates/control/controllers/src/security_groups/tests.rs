//! The filter follows the rows.

use super::*;
use environment::Environment;
use parking_lot::Mutex;
use resources::ec2::{InterfaceUse, Peer, Protocol, SecurityGroupRule};
use std::time::Duration;
use store::MemoryStore;
use tokio_util::sync::CancellationToken;
use virtual_networks::VirtualNetworks;

#[derive(Default)]
struct Filter {
    plans: Mutex<Vec<Plan>>,
    fails: Mutex<u32>,
}

#[async_trait::async_trait]
impl PacketFilter for Filter {
    async fn apply(&self, plan: Plan) -> Result<(), NotFiltered> {
        let mut fails = self.fails.lock();
        if *fails > 0 {
            *fails -= 1;
            return Err(NotFiltered("it is tired".to_owned()));
        }
        self.plans.lock().push(plan);
        Ok(())
    }
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap_or_else(|_| panic!("{what}"));
}

#[tokio::test]
async fn every_change_reaches_the_filter_even_when_it_fails_at_first() {
    let environment = Environment::real();
    let tables = Tables::new(MemoryStore::new(environment.clone()), environment);
    let filter = Arc::new(Filter::default());
    *filter.fails.lock() = 2;
    let stop = CancellationToken::new();
    let running = tokio::spawn(crate::run_security_groups(tables.clone(), filter.clone(), stop.clone()));
    let last = |check: &dyn Fn(&Plan) -> bool| filter.plans.lock().last().is_some_and(check);
    until("the first plan", || last(&|plan| plan.members.is_empty())).await;

    let account = "123456789012".parse().expect("an account");
    let networks = VirtualNetworks::new(tables.clone(), "10.88.0.0/16".parse().expect("a range"));
    let subnet = networks.default_subnets(&account).await.expect("makes").remove(0);
    until("its subnets", || last(&|plan| plan.networks.len() == 3)).await;
    let group = networks.default_group(&account, &subnet.vpc).await.expect("reads").expect("is there");
    let reserved = networks.reserve(&subnet).await.expect("looks").expect("is free");
    let groups = [group.clone()];
    let interface = networks.interface(&subnet, &groups, reserved.address(), InterfaceUse::Nobody, "");
    VirtualNetworks::attach(tables.batch(), &subnet, &groups, &interface).commit().await.expect("writes");
    until("the member", || last(&|plan| plan.members.contains_key(&interface.address))).await;
    let permits = |plan: &Plan| plan.policies.values().map(|policy| policy.ingress.len()).sum::<usize>();
    assert!(last(&|plan| permits(plan) == 2));

    let mut more = SecurityGroup::clone(&group);
    more.rules.push(SecurityGroupRule {
        id: "sgr-1".to_owned(),
        egress: false,
        protocol: Protocol::Number(47),
        peer: Peer::Range("192.0.2.0/24".parse().expect("a range")),
        description: None,
    });
    tables.replace(&group, more).await.expect("writes");
    until("the rule", || last(&|plan| permits(plan) == 3)).await;
    stop.cancel();
    running.await.expect("it ends");
}
