//! The generated message types, and how they treat what is absent.

#[expect(missing_docs, reason = "generated; the names are those of the published model")]
pub mod acs;
#[expect(missing_docs, reason = "generated; the names are those of the published model")]
pub mod tcs;

use serde::{Deserialize, Deserializer};

/// Null reads as the zero value.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
