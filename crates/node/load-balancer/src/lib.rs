//! The data plane of load balancers: a process of its own on a host, so that neither the end nor the upgrade of the server
//! costs a request.
//!
//! [`start`] is for who configures it, [`run`] is the process. How it is found, started, told and replaced is in the crate `daemon`.
//! What it is told and what it answers is in the crate `load-balancing`, and so is every decision; here are sockets, connections
//! and time.
//!
//! [`Proxies`] are the same process once for each task of a Service Connect service, in the network namespace of the task.
//!
//! Promises: a configuration applies as a whole, and no connection is interrupted by it; the last one is on disk, and a process
//! that starts goes on from there; a process that hands over gives its listening sockets to the next one and ends what it
//! has in progress. A request that has reached a target is never given to another one, unless it changes nothing, has no
//! body and the connection had been idle.
//!
//! Where what is: `process` and `table` configure, `listen` accepts, `worker` carries: `application` is HTTP, `network` TCP,
//! TLS and UDP; `target` holds targets and groups as they live, `checks` their health.

mod access_log;
mod application;
mod checks;
mod clock;
mod connect;
mod counters;
mod listen;
mod live;
mod load_balancers;
mod log;
mod network;
mod process;
mod proxies;
mod proxy_log;
mod table;
mod target;
mod tls;
mod worker;

pub use daemon::{ControlError, ProcessError, Started};
pub use load_balancers::{LoadBalancers, start};
pub use process::run;
pub use proxies::Proxies;

/// First argument of the program that [`start`] starts; `--dir` and the directory follow, and of a proxy
/// `--network-namespace` and its path.
pub const COMMAND: &str = "load-balancer";
