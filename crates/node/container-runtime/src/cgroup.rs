//! The control groups of a sandbox, on machines with version 1, version 2 or both.
//!
//! A sandbox has a group below the region's, with the task's limits; `libcontainer` makes one below it for each
//! container. Only groups below the region's are ever touched.

use crate::protocol::Usage;
use crate::spec::SandboxSpec;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

const ROOT: &str = "/sys/fs/cgroup";
/// Controllers of version 1 that containers get a group in.
pub(crate) const V1_CONTROLLERS: &[&str] =
    &["blkio", "cpu", "cpuacct", "cpuset", "devices", "freezer", "memory", "net_cls", "net_prio", "pids"];
/// How long the end of killed processes may take.
const KILL_TIME: Duration = Duration::from_secs(10);
/// Period of CPU limits, as everybody uses it.
const CPU_PERIOD_US: u64 = 100_000;

/// Whether the machine has version 2 only.
pub(crate) fn is_v2() -> bool {
    Path::new(ROOT).join("cgroup.controllers").exists()
}

/// The folders of a group, one for each hierarchy.
pub(crate) fn folders(group: &str) -> Vec<PathBuf> {
    let group = group.trim_start_matches('/');
    if is_v2() {
        return vec![Path::new(ROOT).join(group)];
    }
    controllers().into_iter().map(|name| Path::new(ROOT).join(name).join(group)).collect()
}

/// Controllers of version 1 that this machine has.
pub(crate) fn controllers() -> Vec<&'static str> {
    let there = |name: &&&str| Path::new(ROOT).join(**name).join("cgroup.procs").exists();
    V1_CONTROLLERS.iter().filter(there).copied().collect()
}

/// Whether a control group keeps containers from opening devices of the host. Version 2 does it with a program in the
/// kernel, which `libcontainer` loads only with a C library; there device nodes are refused in other ways.
pub(crate) fn guards_devices() -> bool {
    !is_v2() && controllers().contains(&"devices")
}

/// Moves this process out of the groups by which a service manager finds what belongs to a service. Without it,
/// stopping the service would end the shim and, where only these hierarchies name them, its containers.
pub(crate) fn leave_service() {
    for hierarchy in ["", "systemd", "unified"] {
        let path = Path::new(ROOT).join(hierarchy).join("cgroup.procs");
        if let Ok(mut file) = fs::File::options().write(true).open(path) {
            // Inside a container's own group there may be no way out, nor a service manager.
            let _ = file.write_all(b"0");
        }
    }
}

/// Moves a process into a group of its own below a sandbox's, so that it ends with the sandbox. It counts for nothing
/// else.
pub(crate) fn join_beside_containers(group: &str, name: &str, pid: i32) -> io::Result<()> {
    for folder in folders(group) {
        let folder = folder.join(name);
        fs::create_dir_all(&folder)?;
    }
    if !is_v2() {
        copy_cpuset(&format!("{group}/{name}"))?;
    }
    for folder in folders(group) {
        fs::write(folder.join(name).join("cgroup.procs"), pid.to_string())?;
    }
    Ok(())
}

/// Whether the kernel counts swap. `group` is a container's: on version 2 its parent, the sandbox's, tells.
pub(crate) fn limits_swap(group: &str) -> bool {
    if is_v2() {
        let own = Path::new(ROOT).join(group.trim_start_matches('/'));
        return own.parent().is_some_and(|sandbox| sandbox.join("memory.swap.max").exists());
    }
    Path::new(ROOT).join("memory/memory.memsw.limit_in_bytes").exists()
}

/// Makes the group of a sandbox and sets the task's limits.
pub(crate) fn create(group: &str, spec: &SandboxSpec) -> io::Result<()> {
    if is_v2() { create_v2(group, spec) } else { create_v1(group, spec) }
}

fn quota(cpu: u32) -> u64 {
    (u64::from(cpu) * CPU_PERIOD_US / 1024).max(1000)
}

/// The share of a busy machine that version 1 gives for these units, in the measure of version 2.
fn weight(cpu: u32) -> u64 {
    let shares = u64::from(cpu).clamp(2, 262_144);
    1 + (shares - 2) * 9999 / 262_142
}

fn create_v1(group: &str, spec: &SandboxSpec) -> io::Result<()> {
    for folder in folders(group) {
        fs::create_dir_all(&folder)?;
    }
    let set = |controller: &str, file: &str, value: String| {
        let path = Path::new(ROOT).join(controller).join(group.trim_start_matches('/')).join(file);
        fs::write(path, value)
    };
    if let Some(memory) = spec.memory {
        set("memory", "memory.limit_in_bytes", memory.to_string())?;
        if limits_swap(group) {
            set("memory", "memory.memsw.limit_in_bytes", memory.to_string())?;
        }
    }
    if let Some(cpu) = spec.cpu {
        set("cpu", "cpu.cfs_period_us", CPU_PERIOD_US.to_string())?;
        set("cpu", "cpu.cfs_quota_us", quota(cpu).to_string())?;
        set("cpu", "cpu.shares", cpu.max(2).to_string())?;
    }
    set("pids", "pids.max", spec.pids.to_string())?;
    copy_cpuset(group)
}

/// A new cpuset group has no processors and no memory until it is given its parent's.
fn copy_cpuset(group: &str) -> io::Result<()> {
    let mut folder = Path::new(ROOT).join("cpuset");
    if !folder.join("cgroup.procs").exists() {
        return Ok(());
    }
    for part in group.split('/').filter(|part| !part.is_empty()) {
        let child = folder.join(part);
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if fs::read_to_string(child.join(file))?.trim().is_empty() {
                fs::write(child.join(file), fs::read_to_string(folder.join(file))?.trim())?;
            }
        }
        folder = child;
    }
    Ok(())
}

fn create_v2(group: &str, spec: &SandboxSpec) -> io::Result<()> {
    let mut folder = PathBuf::from(ROOT);
    for part in group.split('/').filter(|part| !part.is_empty()) {
        // Each level hands its controllers down before the next is made.
        fs::write(folder.join("cgroup.subtree_control"), "+cpu +memory +pids")?;
        folder.push(part);
        if !folder.exists() {
            fs::create_dir(&folder)?;
        }
    }
    fs::write(folder.join("cgroup.subtree_control"), "+cpu +memory +pids")?;
    if let Some(memory) = spec.memory {
        fs::write(folder.join("memory.max"), memory.to_string())?;
        if folder.join("memory.swap.max").exists() {
            fs::write(folder.join("memory.swap.max"), "0")?;
        }
    }
    if let Some(cpu) = spec.cpu {
        fs::write(folder.join("cpu.max"), format!("{} {CPU_PERIOD_US}", quota(cpu)))?;
        fs::write(folder.join("cpu.weight"), weight(cpu).to_string())?;
    }
    fs::write(folder.join("pids.max"), spec.pids.to_string())
}

/// How often the kernel has killed in a group for want of memory. Read it before the group goes.
pub(crate) fn memory_kills(group: &str) -> u64 {
    let group = group.trim_start_matches('/');
    let path = if is_v2() {
        Path::new(ROOT).join(group).join("memory.events")
    } else {
        Path::new(ROOT).join("memory").join(group).join("memory.oom_control")
    };
    let text = fs::read_to_string(path).unwrap_or_default();
    let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
    count.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}

/// Use of resources of a group.
pub(crate) fn usage(group: &str) -> Usage {
    let group = group.trim_start_matches('/');
    let number = |path: PathBuf| -> u64 {
        fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    };
    if is_v2() {
        let folder = Path::new(ROOT).join(group);
        let stat = fs::read_to_string(folder.join("cpu.stat")).unwrap_or_default();
        let micros = stat.lines().find_map(|line| line.strip_prefix("usage_usec ")?.parse::<u64>().ok());
        return Usage {
            cpu_nanos: micros.unwrap_or(0) * 1000,
            memory_bytes: number(folder.join("memory.current")),
        };
    }
    let root = Path::new(ROOT);
    Usage {
        cpu_nanos: number(root.join("cpuacct").join(group).join("cpuacct.usage")),
        memory_bytes: number(root.join("memory").join(group).join("memory.usage_in_bytes")),
    }
}

/// Kills every process in a group and those below it, and removes them all. Fine when there is no such group.
pub(crate) fn destroy(group: &str) -> io::Result<()> {
    let deadline = Instant::now() + KILL_TIME;
    let folders: Vec<PathBuf> = folders(group).into_iter().filter(|folder| folder.exists()).collect();
    loop {
        let mut alive = 0;
        for folder in &folders {
            alive += kill_below(folder);
        }
        let left: Vec<io::Error> = folders.iter().filter_map(|folder| remove_below(folder).err()).collect();
        match left.into_iter().next() {
            None => return Ok(()),
            Some(error) if Instant::now() > deadline => return Err(error),
            Some(_) if alive > 0 => sleep(Duration::from_millis(1)),
            Some(_) => sleep(Duration::from_millis(2)),
        }
    }
}

/// Kills every process in a group and those below it, also those that are forked meanwhile.
pub(crate) fn kill(group: &str) {
    let deadline = Instant::now() + KILL_TIME;
    let folders = folders(group);
    while folders.iter().map(|folder| kill_below(folder)).sum::<usize>() > 0 && Instant::now() < deadline {
        sleep(Duration::from_millis(1));
    }
}

fn kill_below(folder: &Path) -> usize {
    let mut count = 0;
    for child in children(folder) {
        count += kill_below(&child);
    }
    let own = nix::unistd::getpid().as_raw();
    let text = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    for pid in text.lines().filter_map(|line| line.parse::<i32>().ok()).filter(|pid| *pid != own && *pid > 1)
    {
        count += 1;
        // Gone already is as good.
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
    }
    count
}

fn remove_below(folder: &Path) -> io::Result<()> {
    for child in children(folder) {
        remove_below(&child)?;
    }
    match fs::remove_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn children(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_units_become_limits_and_weights() {
        assert_eq!([256, 1024, 4096].map(quota), [25_000, 100_000, 400_000]);
        assert_eq!(
            [0, 2, 256, 1024, 4096, 262_144, u32::MAX].map(weight),
            [1, 1, 10, 39, 157, 10_000, 10_000]
        );
    }
}
