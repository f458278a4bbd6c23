//! The packet filter of this machine, as the controller of security groups tells it.

use container_network::rules::{Other, Permit, Policy, Rules, Traffic};
use container_network::{Network, Subnet};
use controllers::security_groups::{NotFiltered, PacketFilter};
use ipnet::Ipv4Net;
use security_groups::{self as groups, Plan};
use std::collections::BTreeMap;
use tokio::sync::watch;

/// The filter of a host whose network may not be there yet.
pub(super) struct HostFilter(watch::Receiver<Option<Network>>);

/// Tells the filter of its network, when that is there.
pub(super) struct FilterSwitch(watch::Sender<Option<Network>>);

/// A filter, and how its network reaches it.
pub(super) fn host_filter() -> (HostFilter, FilterSwitch) {
    let (sender, receiver) = watch::channel(None);
    (HostFilter(receiver), FilterSwitch(sender))
}

impl FilterSwitch {
    /// The network is there.
    pub(super) fn switch_on(&self, network: Network) {
        self.0.send_replace(Some(network));
    }
}

#[async_trait::async_trait]
impl PacketFilter for HostFilter {
    async fn apply(&self, plan: Plan) -> Result<(), NotFiltered> {
        let mut network = self.0.clone();
        let network = match network.wait_for(Option::is_some).await {
            Ok(network) => network.clone(),
            Err(_) => None,
        };
        let network = network.ok_or_else(|| NotFiltered("the host did not start".to_owned()))?;
        network.set_rules(rules(&plan)).await.map_err(|error| NotFiltered(error.to_string()))
    }
}

/// A plan as the network takes it: with places instead of names.
fn rules(plan: &Plan) -> Rules {
    let places = |names: Vec<&String>| -> BTreeMap<String, usize> {
        names.into_iter().enumerate().map(|(place, name)| (name.clone(), place)).collect()
    };
    let group_places = places(plan.groups.keys().collect());
    let realm_places = places(plan.vpcs.keys().collect());
    let policy_places: BTreeMap<_, _> =
        plan.policies.keys().enumerate().map(|(place, id)| (id.clone(), place)).collect();
    let permits = |permits: &std::collections::BTreeSet<groups::Permit>| {
        permits.iter().filter_map(|own| permit(own, &group_places)).collect()
    };
    Rules {
        networks: plan.networks.iter().filter_map(|own| Some((subnet(own.range)?, own.gateway))).collect(),
        members: plan
            .members
            .iter()
            .filter_map(|(address, id)| Some((*address, *policy_places.get(id)?)))
            .collect(),
        policies: plan
            .policies
            .iter()
            .filter_map(|(id, policy)| {
                Some(Policy {
                    realm: *realm_places.get(&id.vpc)?,
                    leaves: policy.leaves,
                    ingress: permits(&policy.ingress),
                    egress: permits(&policy.egress),
                })
            })
            .collect(),
        groups: plan.groups.values().cloned().collect(),
        realms: plan.vpcs.values().cloned().collect(),
    }
}

fn subnet(range: Ipv4Net) -> Option<Subnet> {
    Subnet::of(range.network(), range.prefix_len())
}

fn permit(own: &groups::Permit, groups: &BTreeMap<String, usize>) -> Option<Permit> {
    let other = match &own.other {
        groups::Other::Range(range) => Other::Range(subnet(*range)?),
        groups::Other::Group(id) => Other::Group(*groups.get(id)?),
    };
    let traffic = match own.traffic {
        groups::Traffic::All => Traffic::All,
        groups::Traffic::Tcp(from, to) => Traffic::Tcp(from, to),
        groups::Traffic::Udp(from, to) => Traffic::Udp(from, to),
        groups::Traffic::Icmp(kind, code) => Traffic::Icmp(kind, code),
        groups::Traffic::Number(number) => Traffic::Number(number),
    };
    Some(Permit { other, traffic })
}
