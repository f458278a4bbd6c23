//! A process of its own on a host, which serves on while the server is killed, upgraded or stopped.
//!
//! It has a directory, in which it is found. [`Daemon`] is for who tells it what to do: it finds the process of a directory or
//! starts one, starts another one when it has died, and has a new one take over when the program's file is a new one.
//! [`Place::take`] is the process's side: the sockets of the process before, the last configuration, and then a [`Control`] that
//! answers until the end.
//!
//! Promises: a configuration applies as a whole; the last one is on disk, and a process that starts goes on from there; a process
//! that hands over gives its sockets to the next one (SCM_RIGHTS) and goes on with them until that one works, so nobody who comes
//! meanwhile is turned away. What is in progress then is for the process itself to end.
//!
//! What the process does with its sockets is not known here: that is for a [`Service`], as the load balancers and the name server.

mod client;
mod control;
mod files;
mod process;
mod socket;

pub use client::{ControlError, Daemon, Home, Started};
pub use files::{Files, Kept};
pub use process::{Control, End, Place, ProcessError, Service};
pub use socket::SocketPlace;
