//! What no container gets, whoever asks: settings that are the whole machine's, and mounts over the kernel's own file
//! systems, with which masked paths would be gone.

use crate::spec::ContainerSpec;

/// Kernel settings that belong to a namespace of the container. All below `net.` do as well.
const OWN_SETTINGS: &[&str] = &[
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shm_rmid_forced",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
];
/// Settings of message queues, which belong to the container too.
const OWN_PREFIXES: &[&str] = &["net.", "fs.mqueue."];

/// Why a container is refused; `None` when it is not.
pub(crate) fn refusal(spec: &ContainerSpec) -> Option<String> {
    let targets = spec.mounts.iter().map(|mount| &mount.target);
    let mut targets = targets.chain(spec.tmpfs.iter().map(|tmpfs| &tmpfs.target));
    if let Some(target) = targets.find(|target| !is_mountable(target)) {
        return Some(format!("nothing can be mounted at {target:?}"));
    }
    let setting = spec.sysctls.iter().map(|(name, _)| name).find(|name| !is_own(name));
    setting.map(|name| format!("sysctl {name:?} is not in a namespace of the container"))
}

fn is_own(name: &str) -> bool {
    // A slash divides as well as a dot, and would lead elsewhere.
    !name.contains('/')
        && (OWN_SETTINGS.contains(&name) || OWN_PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
}

fn is_mountable(target: &str) -> bool {
    let mut parts = target.split('/').filter(|part| !part.is_empty() && *part != ".");
    let first = parts.next();
    target.starts_with('/')
        && first.is_some_and(|first| !["proc", "sys"].contains(&first))
        && !target.split('/').any(|part| part == "..")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Tmpfs;

    #[test]
    fn mounts_stay_off_the_kernels_file_systems() {
        for target in ["/proc", "//proc/", "/./sys/fs", "/a/../proc", "/", "", "relative"] {
            assert!(!is_mountable(target), "{target}");
        }
        for target in ["/data", "/processes", "/var/..data", "/etc/app/"] {
            assert!(is_mountable(target), "{target}");
        }
        let tmpfs = vec![Tmpfs { target: "/proc/sys".to_owned(), options: vec![] }];
        assert!(refusal(&ContainerSpec { tmpfs, ..ContainerSpec::default() }).is_some());
    }

    #[test]
    fn settings_of_the_machine_are_refused() {
        for name in ["kernel.panic", "vm.swappiness", "net/../kernel.panic", "kernel.shmmaxx"] {
            assert!(!is_own(name), "{name}");
        }
        for name in ["net.core.somaxconn", "net.ipv4.ip_local_port_range", "kernel.sem", "fs.mqueue.msg_max"]
        {
            assert!(is_own(name), "{name}");
        }
    }
}
