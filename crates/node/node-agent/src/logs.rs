//! The awslogs driver: a container's output into a stream of CloudWatch Logs.
//!
//! Output is on disk before it is read here, written by the sandbox's shim, so a container never waits for the
//! network and a restart of the agent loses nothing: the position is kept on disk and moves only after the service
//! has accepted the events. Should the agent die between the two, the events that the stream has already are found at
//! its end and left out.

mod batch;
mod options;
mod shipper;

pub use options::{AwsLogs, LogOptionsError};
pub(crate) use shipper::{Shipper, prepare};
