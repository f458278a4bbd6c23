//! The text of our tables, and of what changes in them.
//!
//! A packet of a task meets `sent`, which asks the policy of its source, and a packet for a task `received`, which asks
//! that of its destination; both by a map from addresses to chains. Bridge ports are isolated from each other, so
//! packets between tasks pass the machine's forwarding, as those for elsewhere do.

use crate::namespace::LINK_LOCAL;
use crate::rules::{Other, Permit, Rules, Traffic};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::net::Ipv4Addr;

/// A chain with nothing in it, which tells tables of this shape from those of other versions.
pub(super) const SHAPE: &str = "security_groups_1";

/// What every rule needs to know.
pub(super) struct Frame<'a> {
    pub(super) mark: &'a str,
    pub(super) bridge: &'a str,
    /// The bridge's first address, where names are answered.
    pub(super) gateway: Ipv4Addr,
}

/// The whole table, in place of what was there.
pub(super) fn whole(frame: &Frame<'_>, rules: &Rules) -> String {
    let mark = frame.mark;
    let sets = [
        set(
            "set networks",
            "type ipv4_addr; flags interval; auto-merge;",
            rules.networks.iter().map(|own| own.0),
        ),
        set("set members", "type ipv4_addr;", rules.members.keys()),
    ];
    let realms = rules.realms.iter().enumerate();
    let realms = realms.map(|(place, own)| set(&format!("set realm_{place}"), "type ipv4_addr;", own));
    let groups = rules.groups.iter().enumerate();
    let groups = groups.map(|(place, own)| set(&format!("set group_{place}"), "type ipv4_addr;", own));
    let policies = rules.policies.iter().enumerate().map(|(place, policy)| {
        let leaves = if policy.leaves { "" } else { "ip daddr != @networks drop\n" };
        format!(
            "chain in_{place} {{\n{}drop\n}}\nchain out_{place} {{\n{leaves}\
             ip daddr @members ip daddr != @realm_{} drop\n{}drop\n}}\n",
            permits(&policy.ingress, "ip saddr", "accept"),
            policy.realm,
            permits(&policy.egress, "ip daddr", "return"),
        )
    });
    let verdicts = "type ipv4_addr : verdict;";
    let maps = [
        set("map ingress", verdicts, rules.members.iter().map(ingress)),
        set("map egress", verdicts, rules.members.iter().map(egress)),
    ];
    let parts: String = sets.into_iter().chain(realms).chain(groups).chain(policies).chain(maps).collect();
    format!(
        "table ip {mark} {{}}\ndelete table ip {mark}\ntable ip {mark} {{\nchain {SHAPE} {{\n}}\n{parts}{}}}\n",
        fixed(frame)
    )
}

/// What is the same whoever is there.
fn fixed(frame: &Frame<'_>) -> String {
    let Frame { bridge, gateway, .. } = frame;
    let (network, prefix) = LINK_LOCAL;
    // The machine answers names for everybody, as the resolver of a VPC does whatever security groups say.
    format!(
        "chain sent {{\nip saddr != @members drop\nip saddr vmap @egress\n}}\n\
         chain received {{\nip daddr vmap @ingress\ndrop\n}}\n\
         chain outgoing {{\ntype nat hook postrouting priority 100; policy accept;\n\
         ip saddr @networks oifname != {{ \"lo\", \"{bridge}\" }} masquerade\n}}\n\
         chain forward {{\ntype filter hook forward priority 0; policy accept;\n\
         iifname != \"{bridge}\" oifname != \"{bridge}\" accept\n\
         ct state established,related accept\n\
         iifname \"{bridge}\" jump sent\n\
         iifname \"{bridge}\" oifname != \"{bridge}\" accept\n\
         iifname != \"{bridge}\" drop\n\
         goto received\n}}\n\
         chain arriving {{\ntype filter hook input priority 0; policy accept;\n\
         ct state established,related accept\n\
         iifname \"{bridge}\" ip daddr {gateway} meta l4proto {{ tcp, udp }} th dport 53 accept\n\
         iifname \"{bridge}\" jump sent\n\
         ip daddr @members goto received\n}}\n\
         chain departing {{\ntype filter hook output priority 0; policy accept;\n\
         oifname != \"{bridge}\" accept\n\
         icmp type redirect drop\n\
         ct state established,related accept\n\
         ip saddr @members ip saddr vmap @egress\n\
         ip daddr vmap @ingress\n}}\n\
         chain link_local {{\ntype filter hook prerouting priority -300; policy accept;\n\
         iifname \"{bridge}\" ip daddr {network}/{prefix} drop\n}}\n"
    )
}

/// What turns the table of `old` into that of `new`, where only members differ. Empty when nothing does.
pub(super) fn difference(mark: &str, old: &Rules, new: &Rules) -> String {
    let mut text = String::new();
    let gone: BTreeMap<_, _> = old.members.iter().filter(|(a, p)| new.members.get(a) != Some(p)).collect();
    let come: BTreeMap<_, _> = new.members.iter().filter(|(a, p)| old.members.get(a) != Some(p)).collect();
    // What is taken away goes first, so that a member that changes its policy is there once.
    text += &elements("delete", mark, "ingress", gone.keys());
    text += &elements("delete", mark, "egress", gone.keys());
    text += &elements("delete", mark, "members", gone.keys());
    text += &elements("add", mark, "members", come.keys());
    text += &elements("add", mark, "ingress", come.iter().map(|(a, p)| ingress((a, p))));
    text += &elements("add", mark, "egress", come.iter().map(|(a, p)| egress((a, p))));
    for (name, old, new) in [("realm", &old.realms, &new.realms), ("group", &old.groups, &new.groups)] {
        for (place, (old, new)) in old.iter().zip(new).enumerate() {
            let name = format!("{name}_{place}");
            text += &elements("delete", mark, &name, old.difference(new));
            text += &elements("add", mark, &name, new.difference(old));
        }
    }
    text
}

/// The table that ties each port of the bridge to the address of its task, and to IPv4: nobody sends as somebody else,
/// and nothing passes that the rules do not see.
pub(super) fn sources(mark: &str, ports: &BTreeMap<String, Ipv4Addr>) -> String {
    format!(
        "table bridge {mark} {{}}\ndelete table bridge {mark}\ntable bridge {mark} {{\n{}{}\
         chain sources {{\ntype filter hook prerouting priority -300; policy accept;\n\
         iifname != @ports accept\n\
         ether type ip iifname . ip saddr @owners accept\n\
         ether type arp iifname . arp saddr ip @owners accept\n\
         drop\n}}\n}}\n",
        set("set ports", "type ifname;", ports.keys().map(|port| format!("\"{port}\""))),
        set("set owners", "type ifname . ipv4_addr;", ports.iter().map(owner)),
    )
}

/// What turns the ports of `old` into those of `new`.
pub(super) fn moved(
    mark: &str,
    old: &BTreeMap<String, Ipv4Addr>,
    new: &BTreeMap<String, Ipv4Addr>,
) -> String {
    let quoted = |port: &String| format!("\"{port}\"");
    let gone = || old.iter().filter(|(port, address)| new.get(*port) != Some(address));
    let come = || new.iter().filter(|(port, address)| old.get(*port) != Some(address));
    [
        bridge_elements("delete", mark, "owners", gone().map(owner)),
        bridge_elements("delete", mark, "ports", gone().map(|(port, _)| quoted(port))),
        bridge_elements("add", mark, "ports", come().map(|(port, _)| quoted(port))),
        bridge_elements("add", mark, "owners", come().map(owner)),
    ]
    .concat()
}

fn owner((port, address): (&String, &Ipv4Addr)) -> String {
    format!("\"{port}\" . {address}")
}

fn ingress((address, policy): (&Ipv4Addr, &usize)) -> String {
    format!("{address} : goto in_{policy}")
}

fn egress((address, policy): (&Ipv4Addr, &usize)) -> String {
    format!("{address} : jump out_{policy}")
}

fn set<T: Display>(name: &str, kind: &str, elements: impl IntoIterator<Item = T>) -> String {
    let elements = joined(elements);
    let elements = if elements.is_empty() { elements } else { format!("elements = {{ {elements} }};") };
    format!("{name} {{\n{kind} {elements}\n}}\n")
}

fn elements<T: Display>(verb: &str, mark: &str, set: &str, elements: impl IntoIterator<Item = T>) -> String {
    changed(verb, "ip", mark, set, &joined(elements))
}

fn bridge_elements<T: Display>(
    verb: &str,
    mark: &str,
    set: &str,
    elements: impl IntoIterator<Item = T>,
) -> String {
    changed(verb, "bridge", mark, set, &joined(elements))
}

fn changed(verb: &str, family: &str, mark: &str, set: &str, elements: &str) -> String {
    if elements.is_empty() {
        return String::new();
    }
    format!("{verb} element {family} {mark} {set} {{ {elements} }}\n")
}

fn joined<T: Display>(elements: impl IntoIterator<Item = T>) -> String {
    elements.into_iter().map(|element| element.to_string()).collect::<Vec<_>>().join(", ")
}

/// One rule for each permit, with a verdict for what fits.
fn permits(permits: &[Permit], side: &str, verdict: &str) -> String {
    let lines: BTreeSet<String> = permits.iter().map(|permit| line(permit, side, verdict)).collect();
    lines.into_iter().collect()
}

fn line(permit: &Permit, side: &str, verdict: &str) -> String {
    let other = match permit.other {
        Other::Range(range) if range.prefix() == 0 => String::new(),
        Other::Range(range) => format!("{side} {range} "),
        Other::Group(place) => format!("{side} @group_{place} "),
    };
    let traffic = match permit.traffic {
        Traffic::All => String::new(),
        Traffic::Tcp(from, to) => format!("tcp dport {from}-{to} "),
        Traffic::Udp(from, to) => format!("udp dport {from}-{to} "),
        Traffic::Icmp(None, _) => "ip protocol icmp ".to_owned(),
        Traffic::Icmp(Some(kind), None) => format!("icmp type {kind} "),
        Traffic::Icmp(Some(kind), Some(code)) => format!("icmp type {kind} icmp code {code} "),
        Traffic::Number(number) => format!("ip protocol {number} "),
    };
    format!("{other}{traffic}{verdict}\n")
}
