//! Our specification of a container as the OCI runtime's.

use crate::cgroup;
use crate::rootfs::User;
use crate::spec::{ContainerSpec, SandboxSpec};
use crate::volumes;
use serde_json::{Value, json};
use std::path::Path;

/// Docker's default capabilities.
const DEFAULT_CAPABILITIES: &[&str] = &[
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];
/// Paths of the kernel that containers do not see.
const MASKED: &[&str] = &[
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];
/// Paths of the kernel that containers cannot change.
const READ_ONLY: &[&str] = &["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];
/// Bytes of `/dev/shm` without a setting.
const SHM_BYTES: u64 = 64 * 1024 * 1024;

/// The capabilities of a container, with `CAP_`.
pub(crate) fn capabilities(spec: &ContainerSpec) -> Vec<String> {
    let full = |name: &String| {
        let upper = name.to_ascii_uppercase();
        if upper.starts_with("CAP_") { upper } else { format!("CAP_{upper}") }
    };
    let dropped: Vec<String> = spec.cap_drop.iter().map(full).collect();
    let mut kept: Vec<String> = DEFAULT_CAPABILITIES
        .iter()
        .map(|name| (*name).to_owned())
        .filter(|name| !dropped.iter().any(|dropped| dropped == name || dropped == "CAP_ALL"))
        .collect();
    for added in spec.cap_add.iter().map(full) {
        if !kept.contains(&added) {
            kept.push(added);
        }
    }
    kept
}

/// The process of a container, or of a command in it.
pub(crate) fn process(spec: &ContainerSpec, argv: &[String], user: &User, home: &str) -> Value {
    let bounding = capabilities(spec);
    let mut held = bounding.clone();
    // Needed to install the seccomp filter; the executor lets go of it.
    held.push("CAP_SYS_ADMIN".to_owned());
    let mut env = spec.env.clone();
    if !env.iter().any(|pair| pair.starts_with("HOME=")) {
        env.push(format!("HOME={home}"));
    }
    let limit = |value: i64| u64::try_from(value).unwrap_or(u64::MAX);
    let rlimits: Vec<Value> = spec
        .ulimits
        .iter()
        .map(|ulimit| {
            json!({
                "type": format!("RLIMIT_{}", ulimit.name.to_ascii_uppercase()),
                "soft": limit(ulimit.soft),
                "hard": limit(ulimit.hard),
            })
        })
        .collect();
    json!({
        "terminal": false,
        "user": {"uid": user.uid, "gid": user.gid, "additionalGids": user.groups},
        "args": argv,
        "env": env,
        "cwd": if spec.cwd.is_empty() { "/" } else { &spec.cwd },
        "capabilities": {"bounding": bounding, "effective": held, "permitted": held, "inheritable": [], "ambient": []},
        "rlimits": rlimits,
    })
}

/// The whole `config.json`. `files` holds the sandbox's hosts, hostname and resolv.conf; `processes` is the process whose
/// PID namespace the container shares, if it shares one.
pub(crate) fn config(
    sandbox: &SandboxSpec,
    spec: &ContainerSpec,
    process: Value,
    root: &Path,
    group: &str,
    files: &Path,
    processes: Option<i32>,
) -> Value {
    let kinds = ["mount", "ipc", "uts"].map(|kind| json!({"type": kind}));
    let mut namespaces = kinds.to_vec();
    namespaces.push(match processes {
        Some(keeper) => json!({"type": "pid", "path": format!("/proc/{keeper}/ns/pid")}),
        None => json!({"type": "pid"}),
    });
    namespaces.push(json!({"type": "network", "path": sandbox.network_namespace}));
    if cgroup::is_v2() {
        namespaces.push(json!({"type": "cgroup"}));
    }
    let sysctl: serde_json::Map<String, Value> =
        spec.sysctls.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({
        "ociVersion": "1.0.2",
        "hostname": sandbox.hostname,
        "process": process,
        "root": {"path": root, "readonly": spec.readonly_root},
        "mounts": mounts(sandbox, spec, group, files),
        "linux": {
            "cgroupsPath": group,
            "namespaces": namespaces,
            "resources": resources(spec, group),
            "maskedPaths": MASKED,
            "readonlyPaths": READ_ONLY,
            "sysctl": sysctl,
        },
    })
}

fn resources(spec: &ContainerSpec, group: &str) -> Value {
    let mut memory = serde_json::Map::new();
    if let Some(limit) = spec.memory {
        memory.insert("limit".to_owned(), json!(limit));
        if cgroup::limits_swap(group) {
            // As much in all as without swap: no container swaps.
            memory.insert("swap".to_owned(), json!(limit));
        }
    }
    if let Some(reservation) = spec.memory_reservation {
        memory.insert("reservation".to_owned(), json!(reservation));
    }
    json!({
        "devices": [{"allow": false, "access": "rwm"}],
        "memory": memory,
        "cpu": {"shares": spec.cpu_shares.max(2)},
    })
}

fn mounts(sandbox: &SandboxSpec, spec: &ContainerSpec, group: &str, files: &Path) -> Vec<Value> {
    let shm = spec.shm_size.unwrap_or(SHM_BYTES);
    let mut mounts = vec![
        json!({"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]}),
        json!({"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
               "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]}),
        json!({"destination": "/dev/pts", "type": "devpts", "source": "devpts",
               "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]}),
        json!({"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
               "options": ["nosuid", "noexec", "nodev", "mode=1777", format!("size={shm}")]}),
        json!({"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"]}),
        json!({"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]}),
    ];
    mounts.extend(cgroup_mounts(group));
    for name in ["hosts", "hostname", "resolv.conf"] {
        mounts
            .push(json!({"destination": format!("/etc/{name}"), "type": "bind", "source": files.join(name),
                           "options": ["bind", "rprivate", "rw"]}));
    }
    for tmpfs in &spec.tmpfs {
        let mut options = vec!["nosuid".to_owned(), "nodev".to_owned(), "noexec".to_owned()];
        for option in &tmpfs.options {
            // What is asked for wins over what is usual.
            options.retain(|usual| usual.strip_prefix("no") != Some(option));
            options.push(option.clone());
        }
        mounts.push(
            json!({"destination": tmpfs.target, "type": "tmpfs", "source": "tmpfs", "options": options}),
        );
    }
    for mount in &spec.mounts {
        let access = if mount.read_only { "ro" } else { "rw" };
        let source = volumes::source(files, sandbox, &mount.source);
        mounts.push(json!({"destination": mount.target, "type": "bind", "source": source,
                           "options": ["rbind", "rprivate", access]}));
    }
    mounts
}

/// The container's own groups, read-only. On version 1 `libcontainer` would mount the hierarchies writable, with which
/// a container could raise its own limits; so each is bound by itself, read-only, onto a tmpfs.
fn cgroup_mounts(group: &str) -> Vec<Value> {
    if cgroup::is_v2() {
        return vec![json!({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
                           "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]})];
    }
    let mut mounts = vec![json!({"destination": "/sys/fs/cgroup", "type": "tmpfs", "source": "tmpfs",
                                 "options": ["nosuid", "noexec", "nodev", "mode=755"]})];
    for name in cgroup::controllers() {
        mounts.push(json!({"destination": format!("/sys/fs/cgroup/{name}"), "type": "bind",
                           "source": format!("/sys/fs/cgroup/{name}{group}"),
                           "options": ["bind", "ro", "nosuid", "noexec", "nodev"]}));
    }
    mounts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_dockers_with_changes() {
        let with = |add: &[&str], drop: &[&str]| {
            let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
            capabilities(&ContainerSpec {
                cap_add: texts(add),
                cap_drop: texts(drop),
                ..ContainerSpec::default()
            })
        };
        assert_eq!(with(&[], &[]).len(), 14);
        assert_eq!(with(&["SYS_PTRACE"], &["ALL"]), ["CAP_SYS_PTRACE"]);
        assert!(!with(&[], &["NET_RAW"]).contains(&"CAP_NET_RAW".to_owned()));
    }
}
