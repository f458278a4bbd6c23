//! Giving back memory that only a start needed: a machine has one shim for each task, most of them idle.

#![expect(unsafe_code, reason = "the allocator's call has no safe form")]

/// Returns what the allocator keeps for later to the machine.
pub(super) fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes a number, and frees only what nothing uses.
    unsafe {
        libc::malloc_trim(0);
    }
}
