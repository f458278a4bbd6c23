//! The default seccomp filter: system calls that Docker's default profile allows, under the same conditions.
//!
//! A call that is not listed fails with EPERM. clone3 fails with ENOSYS, because its flags cannot be looked into, so
//! that C libraries fall back to clone.

#![expect(unsafe_code, reason = "installing a filter has no safe form")]

mod calls;

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
/// Sockets to the hypervisor.
const AF_VSOCK: u64 = 40;

/// Compiled filters, in the order they are installed.
pub(crate) type Filters = Arc<Vec<BpfProgram>>;

/// Compiles the default filters for this machine. `extra` names capabilities that allow more calls.
pub(crate) fn compile(capabilities: &[String]) -> Result<Filters, String> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(|error| error.to_string())?;
    let eperm = SeccompAction::Errno(libc::EPERM as u32);
    let build = |rules, otherwise, matched| -> Result<BpfProgram, String> {
        let filter =
            SeccompFilter::new(rules, otherwise, matched, arch).map_err(|error| error.to_string())?;
        filter.try_into().map_err(|error: seccompiler::BackendError| error.to_string())
    };
    let allowed = build(allowed(capabilities)?, eperm, SeccompAction::Allow)?;
    let enosys = SeccompAction::Errno(libc::ENOSYS as u32);
    let hidden = build(BTreeMap::from([(libc::SYS_clone3, vec![])]), SeccompAction::Allow, enosys)?;
    Ok(Arc::new(vec![hidden, allowed]))
}

fn allowed(capabilities: &[String]) -> Result<BTreeMap<i64, Vec<SeccompRule>>, String> {
    let has = |name: &str| capabilities.iter().any(|own| own == name);
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        calls::ALWAYS.iter().map(|call| (*call, vec![])).collect();
    for (capability, calls) in calls::WITH_CAPABILITY {
        if has(capability) {
            rules.extend(calls.iter().map(|call| (*call, vec![])));
        }
    }
    let when = |argument, operator, value| -> Result<SeccompRule, String> {
        let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Qword, operator, value);
        SeccompRule::new(vec![condition.map_err(|error| error.to_string())?])
            .map_err(|error| error.to_string())
    };
    if !has("CAP_SYS_ADMIN") {
        rules.insert(libc::SYS_clone, vec![when(0, SeccompCmpOp::MaskedEq(NAMESPACE_FLAGS), 0)?]);
    }
    rules.insert(libc::SYS_socket, vec![when(0, SeccompCmpOp::Ne, AF_VSOCK)?]);
    let personalities = PERSONALITIES.iter().map(|value| when(0, SeccompCmpOp::Eq, *value));
    rules.insert(libc::SYS_personality, personalities.collect::<Result<_, _>>()?);
    Ok(rules)
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
        for capabilities in [vec![], vec!["CAP_SYS_ADMIN".to_owned(), "CAP_SYS_PTRACE".to_owned()]] {
            let filters = compile(&capabilities).expect("compiles");
            assert!(filters.iter().all(|filter| filter.len() < 4096));
        }
    }
}
