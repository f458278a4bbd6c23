//! Address translation on the way out, and who may pass.
//!
//! What tasks send and receive is let through by rules alone, whether it comes from each other, from this machine or
//! from elsewhere; nobody else reaches them by a route through this machine, nor do tasks of another region here.
//! Link-local addresses are out of reach: there machines of a cloud get their credentials, and what a task sends there
//! is dropped before anything can redirect it.
//!
//! The rules live in two tables of their own, both called `longshore-BRIDGE`, one for addresses and one for ports of
//! the bridge. They are written in one transaction each time, so that there is no moment between two sets of rules,
//! and they stay when this process ends. A machine whose own firewall drops what it forwards (docker's does) drops it
//! whatever another table says; there, two rules marked with the same name are put in front and removed again in the
//! end.

pub(crate) mod table;

use crate::error::NetworkError;
use crate::rules::Rules;
use crate::subnet::Subnet;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Where firewall programs are, on machines where they are not on an ordinary PATH.
const PLACES: [&str; 4] = ["/usr/sbin", "/sbin", "/usr/bin", "/usr/local/sbin"];

/// The firewall of one bridge. All functions block.
#[derive(Clone, Debug)]
pub(crate) struct Firewall {
    bridge: String,
    subnet: Subnet,
    nft: Option<PathBuf>,
    iptables: Option<PathBuf>,
}

impl Firewall {
    pub(crate) fn new(bridge: &str, subnet: Subnet) -> Self {
        Self { bridge: bridge.to_owned(), subnet, nft: find("nft"), iptables: find("iptables") }
    }

    /// The name of our table and the mark of our rules in those of others.
    fn mark(&self) -> String {
        format!("longshore-{}", self.bridge)
    }

    /// Makes the tables, with the ports that are there. Rules of an earlier run are left as they are until
    /// [`Firewall::replace`], and where there are none, nothing passes.
    pub(crate) fn begin(&self, ports: &BTreeMap<String, Ipv4Addr>) -> Result<(), NetworkError> {
        let nft = self.nft()?;
        let mark = self.mark();
        let mut text = table::sources(&mark, ports);
        if !self.has_table() {
            text += &table::whole(&self.frame(&mark), &Rules::default());
        }
        self.write(&text)?;
        self.pass_other_tables(nft)?;
        if let Some(iptables) = &self.iptables
            && drops_forwarded(iptables)
        {
            for rule in self.leave() {
                ensure(iptables, &rule)?;
            }
        }
        Ok(())
    }

    /// Puts rules in place of those that are there.
    pub(crate) fn replace(&self, rules: &Rules) -> Result<(), NetworkError> {
        let mark = self.mark();
        let text = table::whole(&self.frame(&mark), rules);
        self.write(&text)
    }

    /// Changes what differs between the rules that are there and others.
    pub(crate) fn change(&self, old: &Rules, new: &Rules) -> Result<(), NetworkError> {
        if old.same_but_for_members(new) {
            let text = table::difference(&self.mark(), old, new);
            let is_done = if text.is_empty() { self.has_table() } else { self.write(&text).is_ok() };
            if is_done {
                return Ok(());
            }
            // Somebody else has been at our table.
        }
        self.replace(new)
    }

    /// Changes which port is whose.
    pub(crate) fn change_ports(
        &self,
        old: &BTreeMap<String, Ipv4Addr>,
        new: &BTreeMap<String, Ipv4Addr>,
    ) -> Result<(), NetworkError> {
        let mark = self.mark();
        let text = table::moved(&mark, old, new);
        if text.is_empty() || self.write(&text).is_ok() {
            return Ok(());
        }
        self.write(&table::sources(&mark, new))
    }

    /// Whether there is a table of ours, of this shape.
    fn has_table(&self) -> bool {
        let mark = self.mark();
        self.nft().is_ok_and(|nft| run(nft, &["list", "chain", "ip", &mark, table::SHAPE], None).is_ok())
    }

    fn write(&self, text: &str) -> Result<(), NetworkError> {
        run(self.nft()?, &["-f", "-"], Some(text)).map(drop)
    }

    fn nft(&self) -> Result<&Path, NetworkError> {
        self.nft.as_deref().ok_or_else(|| NetworkError::Firewall {
            program: "nft".to_owned(),
            reason: "it is not installed; without it security groups would let everything through".to_owned(),
        })
    }

    fn frame<'a>(&'a self, mark: &'a str) -> table::Frame<'a> {
        table::Frame { mark, bridge: &self.bridge, gateway: self.subnet.gateway() }
    }

    /// Removes every rule of ours.
    pub(crate) fn remove(&self) -> Result<(), NetworkError> {
        if let Some(nft) = &self.nft {
            // Declared first, so that there is one to delete.
            let mark = self.mark();
            let text = ["ip", "bridge"]
                .map(|family| format!("table {family} {mark} {{}}\ndelete table {family} {mark}\n"))
                .concat();
            run(nft, &["-f", "-"], Some(&text))?;
            for chain in self.marked_rules(nft)? {
                run(nft, &["-f", "-"], Some(&format!("delete rule {chain}\n")))?;
            }
        }
        if let Some(iptables) = &self.iptables {
            for rule in &self.leave() {
                while succeeds(iptables, "-D", rule) {}
            }
        }
        Ok(())
    }

    /// Rules in front of a chain that drops what it forwards.
    fn leave(&self) -> Vec<Rule> {
        let replies = ["-o", &self.bridge, "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED"];
        vec![
            self.rule("filter", "FORWARD", &["-i", &self.bridge], "ACCEPT"),
            self.rule("filter", "FORWARD", &replies, "ACCEPT"),
        ]
    }

    fn rule(&self, table: &'static str, chain: &'static str, matches: &[&str], target: &str) -> Rule {
        let mark = self.mark();
        let rest = ["-m", "comment", "--comment", &mark, "-j", target];
        Rule { table, chain, rest: matches.iter().chain(&rest).map(|&part| part.to_owned()).collect() }
    }

    /// Puts our two rules in front of every foreign forward chain that drops by default. That of iptables is
    /// left to iptables, which would not understand rules it did not write.
    fn pass_other_tables(&self, nft: &Path) -> Result<(), NetworkError> {
        let marked = self.marked_rules(nft)?;
        let (mark, bridge) = (self.mark(), &self.bridge);
        for chain in listed(nft, &["-j", "list", "chains"], "chain")? {
            let text = |name: &str| chain.get(name).and_then(Value::as_str).unwrap_or_default();
            let (family, table, name) = (text("family"), text("table"), text("name"));
            let foreign = matches!(family, "ip" | "inet") && (table, name) != ("filter", "FORWARD");
            if !foreign || text("hook") != "forward" || text("policy") != "drop" {
                continue;
            }
            let place = format!("{family} {table} {name} ");
            if marked.iter().any(|rule| rule.starts_with(&place)) {
                continue;
            }
            let rules = format!(
                "insert rule {place}iifname \"{bridge}\" accept comment \"{mark}\"\n\
                 insert rule {place}oifname \"{bridge}\" ct state established,related accept comment \"{mark}\"\n"
            );
            run(nft, &["-f", "-"], Some(&rules))?;
        }
        Ok(())
    }

    /// Our rules in tables of others, as `family table chain handle N`.
    fn marked_rules(&self, nft: &Path) -> Result<Vec<String>, NetworkError> {
        let mark = self.mark();
        let rules = listed(nft, &["-j", "-a", "list", "ruleset"], "rule")?;
        Ok(rules
            .iter()
            .filter(|rule| rule.get("comment").and_then(Value::as_str) == Some(&mark))
            .filter_map(|rule| {
                let text = |name: &str| rule.get(name).and_then(Value::as_str);
                let (family, table, chain) = (text("family")?, text("table")?, text("chain")?);
                let handle = rule.get("handle")?.as_u64()?;
                // What iptables wrote, iptables removes.
                ((table, chain) != ("filter", "FORWARD"))
                    .then(|| format!("{family} {table} {chain} handle {handle}"))
            })
            .collect())
    }
}

struct Rule {
    table: &'static str,
    chain: &'static str,
    rest: Vec<String>,
}

pub(crate) fn find(program: &str) -> Option<PathBuf> {
    PLACES.iter().map(|place| Path::new(place).join(program)).find(|path| path.is_file())
}

/// The objects of one kind in nft's JSON answer.
fn listed(nft: &Path, arguments: &[&str], kind: &str) -> Result<Vec<Value>, NetworkError> {
    let output = run(nft, arguments, None)?;
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let objects = answer.get("nftables").and_then(Value::as_array);
    Ok(objects.into_iter().flatten().filter_map(|object| object.get(kind).cloned()).collect())
}

fn drops_forwarded(iptables: &Path) -> bool {
    let listing = run(iptables, &["-w", "5", "-S", "FORWARD"], None);
    listing.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("-P FORWARD DROP"))
}

fn ensure(iptables: &Path, rule: &Rule) -> Result<(), NetworkError> {
    if succeeds(iptables, "-C", rule) {
        return Ok(());
    }
    run(iptables, &rule.arguments("-I"), None).map(drop)
}

fn succeeds(iptables: &Path, action: &str, rule: &Rule) -> bool {
    run(iptables, &rule.arguments(action), None).is_ok()
}

impl Rule {
    fn arguments<'a>(&'a self, action: &'a str) -> Vec<&'a str> {
        let start = ["-w", "5", "-t", self.table, action, self.chain];
        start.into_iter().chain(self.rest.iter().map(String::as_str)).collect()
    }
}

pub(crate) fn run(program: &Path, arguments: &[&str], input: Option<&str>) -> Result<Output, NetworkError> {
    let failed = |reason: String| NetworkError::Firewall { program: program.display().to_string(), reason };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
        // A program that does not read its input says why on its way out.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        Ok(output)
    } else {
        Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sched::{CloneFlags, unshare};

    #[test]
    fn rules_in_front_of_a_dropping_firewall_are_written_once() {
        let host = std::thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).expect("needs root");
            let subnet = "10.88.0.0/16".parse().expect("a subnet");
            let firewall = Firewall::new("lsa", subnet);
            let iptables = firewall.iptables.clone().expect("iptables is installed");
            run(&iptables, &["-P", "FORWARD", "DROP"], None).expect("sets");
            let rules = || {
                let output = run(&iptables, &["-S", "FORWARD"], None).expect("lists");
                String::from_utf8_lossy(&output.stdout).matches("longshore-lsa").count()
            };
            let ports = BTreeMap::new();
            firewall.begin(&ports).expect("begins");
            assert_eq!(rules(), 2);
            firewall.begin(&ports).expect("begins again");
            assert_eq!(rules(), 2);
            firewall.remove().expect("removes");
            assert_eq!(rules(), 0);
            let without = Firewall { nft: None, ..firewall };
            assert!(matches!(without.begin(&ports), Err(NetworkError::Firewall { .. })));
        });
        host.join().expect("the test holds");
    }
}
