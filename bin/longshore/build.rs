//! How the program is linked.

/// The shim of every task is this program too. In a position-independent executable each process writes its own copy of
/// all relocated pages, most of a MiB that a shim never looks at; linked to a fixed address, all processes share them.
/// What it costs is the random address of the program's own code; stacks, heap and libraries keep theirs.
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|own| own == value);
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}
