//! Log drivers: a container's output into a stream of CloudWatch Logs, to a container that routes it, or to Splunk.
//!
//! Output is on disk before it is read here, written by the sandbox's shim, so a container never waits for the
//! network and a restart of the agent loses nothing: the position is kept on disk and moves only after the other side
//! has accepted the lines. Should the agent die between the two, lines that a stream of CloudWatch Logs has already are
//! found at its end and left out; other destinations get them twice.

mod batch;
pub(crate) mod firelens;
mod forward;
mod multiline;
mod options;
mod shipper;
mod splunk;

pub(crate) use firelens::{Routed, Router, RouterKind};
pub(crate) use forward::Origin;
pub use options::{AwsLogs, LogOptionsError, LogOutput};
pub(crate) use shipper::{Destination, Routing, Shipper, prepare};
pub(crate) use splunk::{Collector, Splunk};
