//! Advisories about packages: read from the feeds that publish them, and found for the packages of an image.
//!
//! [`feeds`] turns OSV documents, Debian's tracker, Alpine's secdb and RustSec's files into [`Advisory`]s, one for each
//! package that a vulnerability affects. [`find`] says which of them hold for an [`image_packages::Inventory`]. Where the
//! advisories are kept is not known here.

mod advisory;
pub mod feeds;
mod find;
mod severity;
mod systems;

pub use advisory::{Advisory, End, Feed, PackageKey, Range};
pub use find::{Affected, Finding, Fix, Found, Scope, affects, find};
pub use severity::{Score, Severity, rating, score};
pub use systems::{Lookup, lookups};

#[cfg(test)]
mod tests;
