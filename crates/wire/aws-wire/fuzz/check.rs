//! Any bytes are a value in CBOR or are refused; what is read can be written and read again.

use aws_wire::cbor;

/// A request in CBOR.
pub fn cbor(input: &[u8]) {
    let Ok(read) = cbor::from_slice(input) else { return };
    let written = cbor::to_vec(&read);
    let again = cbor::from_slice(&written).expect("what is written is read again");
    // Nulls have no form of their own, and NaN is not itself: from here on nothing changes any more.
    assert_eq!(cbor::to_vec(&again), written);
}
