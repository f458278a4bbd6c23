//! Filters for more than one architecture of system calls.
//!
//! The kernel runs every filter for every call and takes the strictest answer, so each filter lets calls of the other
//! architecture pass and leaves them to the other's filter.

use seccompiler::{BpfProgram, sock_filter};

/// How the kernel names architectures to a filter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Architectures {
    /// Whose calls the filter judges.
    pub(super) own: u32,
    /// Whose calls another filter judges.
    pub(super) other: u32,
}

/// Where a filter finds the architecture of a call.
const ARCHITECTURE_OFFSET: u32 = 4;
const LOAD: u16 = 0x20;
const JUMP_IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;
const ALLOW: u32 = 0x7FFF_0000;

/// Makes a filter judge the calls of its own architecture, pass those of the other, and kill at those of any third.
///
/// The compiler of filters knows no 32-bit architecture and checks for this machine's in its second instruction; the
/// rest of its program compares numbers and arguments, which lie in the same places for both.
pub(super) fn guard(mut program: BpfProgram, architectures: Architectures) -> Result<BpfProgram, String> {
    let native = [architectures.own, architectures.other];
    match program.get_mut(..2) {
        Some([load, check])
            if (load.code, load.k) == (LOAD, ARCHITECTURE_OFFSET)
                && check.code == JUMP_IF_EQUAL
                && native.contains(&check.k) =>
        {
            check.k = architectures.own;
        }
        _ => return Err("a filter does not begin with a check of the architecture".to_owned()),
    }
    let front = [
        sock_filter { code: LOAD, jt: 0, jf: 0, k: ARCHITECTURE_OFFSET },
        sock_filter { code: JUMP_IF_EQUAL, jt: 0, jf: 1, k: architectures.other },
        sock_filter { code: RETURN, jt: 0, jf: 0, k: ALLOW },
    ];
    program.splice(0..0, front);
    Ok(program)
}
