//! AWS names: accounts, regions, ARNs and resource ids.
//!
//! This crate parses and prints; it never does I/O and knows no service.

mod account;
mod arn;

pub use account::{AccountId, AccountIdError, Region, RegionError};
pub use arn::{Arn, ArnError};
