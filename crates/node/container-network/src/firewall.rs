//! Address translation on the way out, and who may pass.
//!
//! Tasks reach everything; they are reached by each other and by this machine, not by neighbours who set a route
//! through it, nor by tasks of another region here. Link-local addresses are the exception: there machines of a
//! cloud get their credentials, and what a task sends there is dropped before anything can redirect it.
//!
//! The rules live in a table of their own, `longshore-BRIDGE`, replaced as a whole at each start. A machine whose
//! own firewall drops what it forwards (docker's does) drops it whatever another table says; there, two rules
//! marked with the same name are put in front and removed again in the end.

use crate::error::NetworkError;
use crate::namespace::LINK_LOCAL;
use crate::subnet::Subnet;
use serde_json::Value;
use std::io::Write;
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

    /// Sets the rules, replacing those of an earlier run.
    pub(crate) fn apply(&self) -> Result<(), NetworkError> {
        match (&self.nft, &self.iptables) {
            (Some(nft), _) => {
                run(nft, &["-f", "-"], Some(&self.table()))?;
                self.pass_other_tables(nft)?;
            }
            (None, Some(iptables)) => {
                for rule in self.translation() {
                    ensure(iptables, &rule)?;
                }
            }
            (None, None) => {
                return Err(NetworkError::Firewall {
                    program: "nft or iptables".to_owned(),
                    reason: "neither is installed; tasks would not reach the outside".to_owned(),
                });
            }
        }
        if let Some(iptables) = &self.iptables
            && drops_forwarded(iptables)
        {
            for rule in self.leave() {
                ensure(iptables, &rule)?;
            }
        }
        Ok(())
    }

    /// Removes every rule of ours.
    pub(crate) fn remove(&self) -> Result<(), NetworkError> {
        if let Some(nft) = &self.nft {
            // Declared first, so that there is one to delete.
            let mark = self.mark();
            run(nft, &["-f", "-"], Some(&format!("table ip {mark} {{}}\ndelete table ip {mark}\n")))?;
            for chain in self.marked_rules(nft)? {
                run(nft, &["-f", "-"], Some(&format!("delete rule {chain}\n")))?;
            }
        }
        if let Some(iptables) = &self.iptables {
            for rule in self.leave().iter().chain(&self.translation()) {
                while succeeds(iptables, "-D", rule) {}
            }
        }
        Ok(())
    }

    fn table(&self) -> String {
        let (mark, bridge, subnet) = (self.mark(), &self.bridge, self.subnet);
        let (network, prefix) = LINK_LOCAL;
        format!(
            "table ip {mark} {{}}\n\
             delete table ip {mark}\n\
             table ip {mark} {{\n\
               chain outgoing {{\n\
                 type nat hook postrouting priority 100; policy accept;\n\
                 ip saddr {subnet} oifname != \"{bridge}\" masquerade\n\
               }}\n\
               chain forward {{\n\
                 type filter hook forward priority 0; policy accept;\n\
                 iifname \"{bridge}\" accept\n\
                 oifname \"{bridge}\" ct state established,related accept\n\
                 oifname \"{bridge}\" drop\n\
               }}\n\
               chain link_local {{\n\
                 type filter hook prerouting priority -300; policy accept;\n\
                 iifname \"{bridge}\" ip daddr {network}/{prefix} drop\n\
               }}\n\
             }}\n"
        )
    }

    /// Rules for machines without nft.
    fn translation(&self) -> Vec<Rule> {
        let subnet = self.subnet.to_string();
        let link_local = format!("{}/{}", LINK_LOCAL.0, LINK_LOCAL.1);
        let new = ["-o", &self.bridge, "!", "-i", &self.bridge, "-m", "conntrack", "--ctstate", "NEW"];
        vec![
            self.rule("nat", "POSTROUTING", &["-s", &subnet, "!", "-o", &self.bridge], "MASQUERADE"),
            self.rule("filter", "FORWARD", &new, "DROP"),
            self.rule("raw", "PREROUTING", &["-i", &self.bridge, "-d", &link_local], "DROP"),
        ]
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

fn find(program: &str) -> Option<PathBuf> {
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

fn run(program: &Path, arguments: &[&str], input: Option<&str>) -> Result<Output, NetworkError> {
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
    fn iptables_does_where_nft_is_missing() {
        let host = std::thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).expect("needs root");
            let subnet = "10.88.0.0/16".parse().expect("a subnet");
            let firewall = Firewall { nft: None, ..Firewall::new("lsa", subnet) };
            let iptables = firewall.iptables.clone().expect("iptables is installed");
            run(&iptables, &["-P", "FORWARD", "DROP"], None).expect("sets");
            let rules = || {
                let listed = ["nat", "filter", "raw"].map(|table| {
                    let output = run(&iptables, &["-t", table, "-S"], None).expect("lists");
                    String::from_utf8_lossy(&output.stdout).matches("longshore-lsa").count()
                });
                (listed[0], listed[1], listed[2])
            };
            firewall.apply().expect("applies");
            assert_eq!(rules(), (1, 3, 1));
            firewall.apply().expect("applies again");
            assert_eq!(rules(), (1, 3, 1));
            firewall.remove().expect("removes");
            assert_eq!(rules(), (0, 0, 0));
            let neither = Firewall { iptables: None, ..firewall };
            assert!(matches!(neither.apply(), Err(NetworkError::Firewall { .. })));
        });
        host.join().expect("the test holds");
    }
}
