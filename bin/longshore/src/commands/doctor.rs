//! `longshore doctor`: can this machine run tasks, and what to do where it cannot.

use crate::region::host::capacity;
use crate::region::name_server;
use crate::settings::{Overcommit, default_data_dir};
use anyhow::{Result, bail};
use clap::Args;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::{Path, PathBuf};

/// Check that this machine can run tasks.
#[derive(Args)]
pub(crate) struct DoctorArgs {
    /// Address the region would listen on
    #[arg(long, env = "LONGSHORE_LISTEN", default_value = "127.0.0.1:4566", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Data directory of a region that may run here [default: as `longshore up`]
    #[arg(long, env = "LONGSHORE_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// One finding.
pub(crate) struct Check {
    /// What was looked at.
    name: &'static str,
    /// What was found, or what is wrong and what to do about it.
    result: std::result::Result<String, String>,
}

/// Prints every check; fails when one failed.
pub(crate) async fn run(arguments: DoctorArgs) -> Result<()> {
    let mut checks = host_checks();
    checks.push(Check { name: "port", result: port(arguments.listen) });
    checks.push(Check { name: "names", result: Ok(names()) });
    checks.push(Check { name: "room", result: room() });
    // Only of a region with tasks.
    let name_server = name_server::look(&arguments.data_dir.unwrap_or_else(default_data_dir)).await;
    checks.extend(name_server.map(|result| Check { name: "name server", result }));
    let mut failed = 0;
    for check in &checks {
        match &check.result {
            Ok(found) => println!("ok    {:<12} {found}", check.name),
            Err(advice) => {
                failed += 1;
                println!("FAIL  {:<12} {advice}", check.name);
            }
        }
    }
    if failed > 0 {
        bail!("{failed} of {} checks failed", checks.len());
    }
    println!("this machine can run tasks");
    Ok(())
}

/// The texts of the failing checks that keep tasks from running here.
pub(crate) fn host_failures() -> Vec<String> {
    host_checks()
        .into_iter()
        .filter_map(|check| check.result.err().map(|advice| format!("{}: {advice}", check.name)))
        .collect()
}

/// Fails, with what to do, where this process may not start containers.
pub(crate) fn require_root() -> Result<()> {
    root().map(drop).map_err(anyhow::Error::msg)
}

fn host_checks() -> Vec<Check> {
    vec![
        Check { name: "root", result: root() },
        Check { name: "cgroups", result: cgroups() },
        Check { name: "overlayfs", result: overlayfs() },
        Check { name: "namespaces", result: namespaces() },
        Check { name: "firewall", result: firewall() },
        Check { name: "forwarding", result: forwarding() },
        Check { name: "disks", result: Ok(disks()) },
        Check { name: "faults", result: Ok(faults()) },
    ]
}

fn root() -> std::result::Result<String, String> {
    let id = nix::unistd::geteuid();
    if id.is_root() {
        Ok("running as root".to_owned())
    } else {
        Err(format!(
            "running as user {id}; containers need root: run with sudo, or serve the API only with --no-host"
        ))
    }
}

fn cgroups() -> std::result::Result<String, String> {
    if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
        let controllers = std::fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
        return missing(&["cpu", "memory", "pids"], |name| controllers.split_whitespace().any(|c| c == name))
            .map_or_else(|| Ok("version 2 with cpu, memory, pids".to_owned()), Err);
    }
    let present = |name: &str| Path::new("/sys/fs/cgroup").join(name).join("cgroup.procs").exists();
    let kind = if Path::new("/sys/fs/cgroup/unified/cgroup.procs").exists() { "hybrid" } else { "version 1" };
    missing(&["cpu", "memory", "pids", "freezer", "devices"], present)
        .map_or_else(|| Ok(format!("{kind} with cpu, memory, pids, freezer, devices")), Err)
}

fn missing(names: &[&str], present: impl Fn(&str) -> bool) -> Option<String> {
    let absent: Vec<&str> = names.iter().copied().filter(|name| !present(name)).collect();
    (!absent.is_empty()).then(|| {
        format!(
            "no controller {}; mount the cgroup file system at /sys/fs/cgroup and enable it (kernel option \
             cgroup_enable=memory on some distributions)",
            absent.join(", ")
        )
    })
}

fn overlayfs() -> std::result::Result<String, String> {
    let known = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
    let loadable = || {
        let release = nix::sys::utsname::uname().map(|name| name.release().to_string_lossy().into_owned());
        release
            .is_ok_and(|release| Path::new("/lib/modules").join(release).join("kernel/fs/overlayfs").is_dir())
    };
    if known.lines().any(|line| line.trim_start_matches("nodev").trim() == "overlay") || loadable() {
        Ok("available".to_owned())
    } else {
        Err("the kernel has no overlay file system; load it with: modprobe overlay".to_owned())
    }
}

fn namespaces() -> std::result::Result<String, String> {
    let absent: Vec<&str> = ["net", "mnt", "pid", "uts", "ipc"]
        .into_iter()
        .filter(|name| !Path::new("/proc/self/ns").join(name).exists())
        .collect();
    if absent.is_empty() {
        Ok("net, mnt, pid, uts, ipc".to_owned())
    } else {
        Err(format!("the kernel lacks the namespaces {}; use a distribution kernel", absent.join(", ")))
    }
}

fn firewall() -> std::result::Result<String, String> {
    let found = |program: &str| {
        ["/usr/sbin", "/sbin", "/usr/bin", "/bin"].iter().any(|dir| Path::new(dir).join(program).exists())
    };
    if found("nft") {
        Ok("nft".to_owned())
    } else {
        Err("nft is not there, which carries out security groups; install it: apt-get install nftables"
            .to_owned())
    }
}

/// Nothing that keeps tasks from running.
fn disks() -> String {
    container_runtime::disks_unavailable().map_or_else(
        || {
            "loop devices and mkfs.ext4: the storage of tasks is bounded, volumes of EBS can be made"
                .to_owned()
        },
        |why| format!("the storage of tasks is watched only, and volumes of EBS cannot be made: {why}"),
    )
}

/// What tasks can make of faults in their networks; nothing that keeps them from running.
fn faults() -> String {
    container_network::faults::delay_unavailable().map_or_else(
        || "tasks can lose and delay packets on purpose".to_owned(),
        |why| format!("tasks can lose packets on purpose, but not delay them: {why}"),
    )
}

fn forwarding() -> std::result::Result<String, String> {
    match std::fs::read_to_string("/proc/sys/net/ipv4/ip_forward") {
        Ok(value) if value.trim() == "1" => Ok("IPv4 forwarding is on".to_owned()),
        Ok(_) => Ok("IPv4 forwarding is off; `longshore up` turns it on".to_owned()),
        Err(error) => Err(format!("cannot read /proc/sys/net/ipv4/ip_forward: {error}; is /proc mounted?")),
    }
}

/// How programs of this machine find load balancers by their names; none of the answers keeps tasks from running.
fn names() -> String {
    let found = ("longshore-doctor.elb.localhost", 0u16).to_socket_addrs();
    let mut found = found.into_iter().flatten().peekable();
    if found.peek().is_some() && found.all(|address| address.ip().is_loopback()) {
        "programs resolve *.elb.localhost to this machine: application load balancers are reached by name"
            .to_owned()
    } else {
        "curl and browsers reach load balancers at *.elb.localhost; programs that ask the C library do not: start with \
         --manage-hosts-file, or install libnss-myhostname"
            .to_owned()
    }
}

/// What tasks can reserve here, where nothing else is set.
fn room() -> std::result::Result<String, String> {
    let (cpu, memory) = capacity().map_err(|error| format!("{error:#}; is /proc mounted?"))?;
    let (lent_cpu, lent_memory) = (Overcommit::CPU.of(cpu), Overcommit::MEMORY.of(memory));
    Ok(format!(
        "{} cores and {memory} MiB: tasks can reserve {lent_cpu} CPU units and {lent_memory} MiB, {} and {} times as much; \
         --overcommit-cpu and --overcommit-memory change that",
        cpu / 1024,
        Overcommit::CPU,
        Overcommit::MEMORY
    ))
}

fn port(listen: SocketAddr) -> std::result::Result<String, String> {
    match TcpListener::bind(listen) {
        Ok(_) => Ok(format!("{listen} is free")),
        Err(error) => Err(format!("{listen}: {error}; stop what uses it, or choose another with --listen")),
    }
}
