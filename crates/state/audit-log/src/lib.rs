//! The durable record of every API call, and finding calls in it again.
//!
//! Taking a record never waits for the disk: its texts go into an open batch in memory, and one writer appends batches
//! to a journal. When a journal segment is full it becomes a block: large compressed parts with an index. Records are
//! found by attribute and time, newest first, without reading more than the parts that can have them.
//!
//! Promises: records are written in the order they were taken; that of a call which changes something is on disk within
//! a tenth of a second on a disk that keeps up, that of one which only reads within a second; [`AuditLog::close`] and
//! [`AuditLog::flush`] leave nothing behind. A crash loses at most those last moments. When the disk is slow, callers
//! wait in [`AuditLog::room`]; when it fails, what is lost is counted and logged. Memory is bounded by the open batch
//! and one journal segment, files by [`Bounds`].
//!
//! It knows nothing of services, of the wire or of CloudTrail's JSON.

mod batch;
mod block;
mod event;
mod event_id;
mod journal;
mod log;
mod search;
mod terms;

pub use event::{DISCONNECTED, Event, EventType, Identity, Resource, Session, StoredEvent, StoredIdentity};
pub use log::{AuditError, AuditLog, Bounds};
pub use search::{Found, Matching, Query};
pub use terms::Attribute;
