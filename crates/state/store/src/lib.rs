//! A revisioned key-value store with etcd's semantics, and typed tables over it.
//!
//! [`Store`] is the contract: ranges at a revision, compare-and-set transactions, watches from a revision, leases.
//! [`Machine`] is that contract as a state machine in memory; a backend adds durability to it. [`MemoryStore`] adds
//! none. [`Tables`] is what services use. This crate never names a durable backend; [`conformance`] is the suite that
//! every backend passes.

pub mod conformance;
mod error;
mod machine;
mod memory;
mod request;
mod tables;
mod watch;

pub use error::StoreError;
pub use machine::{Change, LeaseExpiry, Machine, Outcome, Stage};
pub use memory::MemoryStore;
pub use request::{
    Compare, KeyRange, KeyValue, LeaseId, Op, OpResult, RangeRequest, RangeResponse, Revision, Store,
    StoreStatus, Test, Transaction, TransactionResponse, WatchRequest,
};
pub use tables::{Batch, Listing, Page, TableChange, TableWatch, Tables, Versioned};
pub use watch::{Event, Watch, WatchBatch};
