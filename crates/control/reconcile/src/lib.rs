//! The reconciling loop: a keyed queue, back-off, timers and bounded concurrency; knows no resource.
//!
//! A [`Reconciler`] gets a key and nothing else. What happened to the key is hidden from it on purpose: it reads what
//! is wanted and what is there, and moves one step. It keeps no retry loop of its own; it returns its error and the
//! engine comes back later. Therefore one that is killed anywhere is simply run again.
//!
//! Promises: a key is never reconciled twice at the same time; a nudge during a run causes one further run; a key
//! that waits is queued once, however often it is nudged; a failing key backs off alone and delays no other; all keys
//! come by again at every resync, so that a lost nudge costs time and never correctness.

mod engine;
mod queue;

pub use engine::{Reconciler, Settings, run};
pub use queue::{Next, Queue};
