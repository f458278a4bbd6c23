//! The shim as a program of its own, for the tests.

fn main() {
    container_runtime::shim_main(std::env::args_os().skip(2).collect())
}
