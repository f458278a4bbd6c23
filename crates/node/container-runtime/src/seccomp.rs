//! The default seccomp filter: system calls that Docker's default profile allows, under the same conditions.
//!
//! A call that is not listed fails with EPERM. clone3 fails with ENOSYS, because its flags cannot be looked into, so
//! that C libraries fall back to clone. On x86_64 the same holds for the calls of 32-bit programs, by numbers of their
//! own; programs of any other architecture than these are killed at their first call.

#![expect(unsafe_code, reason = "installing a filter has no safe form")]

mod architecture;
mod calls;

use calls::Calls;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// Flags of clone that make namespaces.
const NAMESPACE_FLAGS: u64 = 0x7E02_0000;
/// Execution domains that programs may switch to.
const PERSONALITIES: [u64; 5] = [0x0, 0x8, 0x2_0000, 0x2_0008, 0xFFFF_FFFF];
/// Where a file's kind is in its mode, and the kinds that anybody may make: none (a file), pipe, file, socket.
const KIND: u64 = 0o170_000;
const KINDS_WITHOUT_DEVICES: [u64; 4] = [0, 0o010_000, 0o100_000, 0o140_000];
/// Kinds of sockets that are refused: rare protocols, the kernel's ciphers (AF_ALG), the hypervisor (AF_VSOCK).
const REFUSED_FAMILIES: [u64; 9] = [12, 19, 20, 23, 25, 34, 37, 38, 40];
/// The last kind that is allowed.
const LAST_FAMILY: u64 = 45;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Compiled filters, in the order they are installed.
pub(crate) type Filters = Arc<Vec<BpfProgram>>;

/// Compiles the default filters for this machine. Some `capabilities` allow more calls. With `no_devices` nobody makes
/// device nodes, for machines where no control group keeps containers from opening them.
pub(crate) fn compile(capabilities: &[String], no_devices: bool) -> Result<Filters, String> {
    let mut filters = Vec::new();
    for calls in calls::tables() {
        let enosys = SeccompAction::Errno(libc::ENOSYS as u32);
        let clone3 = BTreeMap::from([(calls.clone3, vec![])]);
        filters.push(build(&calls, clone3, SeccompAction::Allow, enosys)?);
        let eperm = SeccompAction::Errno(libc::EPERM as u32);
        let rules = allowed(&calls, capabilities, no_devices)?;
        filters.push(build(&calls, rules, eperm, SeccompAction::Allow)?);
    }
    Ok(Arc::new(filters))
}

/// A filter for the calls of one architecture.
fn build(
    calls: &Calls,
    rules: Rules,
    otherwise: SeccompAction,
    matched: SeccompAction,
) -> Result<BpfProgram, String> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(|error| error.to_string())?;
    let filter = SeccompFilter::new(rules, otherwise, matched, arch).map_err(|error| error.to_string())?;
    let program: BpfProgram =
        filter.try_into().map_err(|error: seccompiler::BackendError| error.to_string())?;
    match calls.architectures {
        None => Ok(program),
        Some(architectures) => architecture::guard(program, architectures),
    }
}

fn allowed(calls: &Calls, capabilities: &[String], no_devices: bool) -> Result<Rules, String> {
    let has = |name: &str| capabilities.iter().any(|own| own == name);
    let mut rules: Rules = calls.always.iter().map(|call| (*call, vec![])).collect();
    for (capability, more) in &calls.with_capability {
        if has(capability) {
            rules.extend(more.iter().map(|call| (*call, vec![])));
        }
    }
    if !has("CAP_SYS_ADMIN") {
        rules.insert(calls.clone, vec![rule(vec![long(0, SeccompCmpOp::MaskedEq(NAMESPACE_FLAGS), 0)?])?]);
    }
    let mut families = vec![int(0, SeccompCmpOp::Le, LAST_FAMILY)?];
    for family in REFUSED_FAMILIES {
        families.push(int(0, SeccompCmpOp::Ne, family)?);
    }
    rules.insert(calls.socket, vec![rule(families)?]);
    let personalities = PERSONALITIES.iter().map(|value| rule(vec![long(0, SeccompCmpOp::Eq, *value)?]));
    rules.insert(calls.personality, personalities.collect::<Result<_, _>>()?);
    if no_devices {
        let kinds = |mode: u8| -> Result<Vec<SeccompRule>, String> {
            KINDS_WITHOUT_DEVICES
                .iter()
                .map(|kind| rule(vec![int(mode, SeccompCmpOp::MaskedEq(KIND), *kind)?]))
                .collect()
        };
        if let Some(mknod) = calls.mknod {
            rules.insert(mknod, kinds(1)?);
        }
        rules.insert(calls.mknodat, kinds(2)?);
    }
    Ok(rules)
}

/// All conditions have to hold.
fn rule(conditions: Vec<SeccompCondition>) -> Result<SeccompRule, String> {
    SeccompRule::new(conditions).map_err(|error| error.to_string())
}

fn long(argument: u8, operator: SeccompCmpOp, value: u64) -> Result<SeccompCondition, String> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Qword, operator, value)
        .map_err(|error| error.to_string())
}

/// Arguments that the kernel takes as 32 bits are compared as such, or a program could hide behind the others.
fn int(argument: u8, operator: SeccompCmpOp, value: u64) -> Result<SeccompCondition, String> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)
        .map_err(|error| error.to_string())
}

/// Installs filters for this thread and what it becomes. Needs CAP_SYS_ADMIN or no-new-privileges.
pub(crate) fn install(filters: &Filters) -> io::Result<()> {
    for filter in filters.iter() {
        let program = libc::sock_fprog {
            len: u16::try_from(filter.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?,
            filter: filter.as_ptr().cast::<libc::sock_filter>().cast_mut(),
        };
        // SAFETY: `program` points to `len` instructions that live until the call returns; both types have the
        // kernel's layout, and the kernel only reads them.
        let result =
            unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_compile_within_the_kernels_limit() {
        let every: Vec<String> = calls::tables()
            .iter()
            .flat_map(|calls| calls.with_capability.iter().map(|(name, _)| (*name).to_owned()))
            .collect();
        for capabilities in [vec![], every] {
            let filters = compile(&capabilities, true).expect("compiles");
            let lengths: Vec<usize> = filters.iter().map(Vec::len).collect();
            assert!(lengths.iter().all(|length| *length < 4096), "{lengths:?}");
        }
    }

    /// A filter holds for one thread, so a thread of its own tries it.
    fn under_filter(no_devices: bool, act: fn() -> Vec<i32>) -> Option<Vec<i32>> {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("skipped: needs root");
            return None;
        }
        let filters = compile(&[], no_devices).expect("compiles");
        let tried = std::thread::spawn(move || {
            install(&filters).expect("installs");
            act()
        });
        Some(tried.join().expect("tries"))
    }

    fn errno(result: i64) -> i32 {
        if result < 0 { io::Error::last_os_error().raw_os_error().unwrap_or(0) } else { 0 }
    }

    fn make(mode: u32) -> i32 {
        // A directory that is not there: what passes the filter fails with ENOENT and leaves nothing.
        // SAFETY: the path ends with a zero byte and outlives the call.
        errno(unsafe { libc::syscall(libc::SYS_mknodat, -1, c"/none/node".as_ptr(), mode, 0x103) })
    }

    #[test]
    fn device_nodes_are_refused_where_no_group_guards_them() {
        let make_all =
            || vec![make(0o020_666), make(0o060_666), make(0o1_060_666), make(0o010_666), make(0o644)];
        let Some(result) = under_filter(true, make_all) else { return };
        assert_eq!(result, [libc::EPERM, libc::EPERM, libc::EPERM, libc::ENOENT, libc::ENOENT]);
        assert_eq!(under_filter(false, || vec![make(0o020_666)]), Some(vec![libc::ENOENT]));
    }

    #[test]
    fn conditions_hold_whatever_the_unused_bits_say() {
        let act = || {
            // SAFETY: none of these calls takes a pointer that is read before it is refused.
            unsafe {
                vec![
                    errno(libc::syscall(libc::SYS_socket, libc::AF_VSOCK, libc::SOCK_STREAM, 0)),
                    errno(libc::syscall(libc::SYS_socket, libc::AF_ALG, libc::SOCK_SEQPACKET, 0)),
                    errno(libc::syscall(libc::SYS_socket, 46, libc::SOCK_STREAM, 0)),
                    errno(libc::syscall(libc::SYS_socket, 0x1_0000_0028_u64, libc::SOCK_STREAM, 0)),
                    errno(libc::syscall(libc::SYS_unshare, libc::CLONE_NEWUSER)),
                    errno(libc::syscall(libc::SYS_clone, libc::CLONE_NEWUSER, 0, 0, 0, 0)),
                    errno(libc::syscall(libc::SYS_clone3, 0, 0)),
                    errno(libc::syscall(libc::SYS_keyctl, 0, 0, 0, 0, 0)),
                    errno(libc::syscall(libc::SYS_personality, 0x40_0000)),
                ]
            }
        };
        let Some(result) = under_filter(false, act) else { return };
        let mut expected = [libc::EPERM; 9];
        expected[6] = libc::ENOSYS;
        assert_eq!(result, expected);
    }
}
