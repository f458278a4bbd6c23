//! Ids of access keys, which tell their account as those of AWS do.
//!
//! After the prefix of four letters come 80 bits in base 32: the first 48 hold the account above seven bits and below
//! the highest one, which is set. The rest is random.

use environment::Environment;
use identifiers::AccountId;

/// Digits of base 32 (RFC 4648).
pub(crate) const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Where the account lies in the first 48 bits.
const ACCOUNT_BITS: u64 = 0x7fff_ffff_ff80;
/// The highest of the 48 bits.
const HIGHEST: u64 = 1 << 47;

/// A fresh id: `AKIA...` or `ASIA...`.
pub(crate) fn fresh(prefix: &str, account: &AccountId, environment: &Environment) -> String {
    let mut random = [0u8; 8];
    environment.fill_random(&mut random);
    let random = u64::from_le_bytes(random);
    // Twelve digits fit into 40 bits.
    let number: u64 = account.as_str().parse().unwrap_or_default();
    let first = HIGHEST | ((number << 7) & ACCOUNT_BITS) | (random & 0x7f);
    let bits = (u128::from(first) << 32) | u128::from(random >> 32);
    let digit = |index: u32| char::from(DIGITS[((bits >> (75 - 5 * index)) & 31) as usize]);
    prefix.chars().chain((0..16).map(digit)).collect()
}

/// The account that an id tells; `None` when it is no id of a key.
pub fn account_of_key(id: &str) -> Option<AccountId> {
    let rest = id.get(4..).filter(|rest| id.is_ascii() && rest.len() == 16)?;
    let mut bits = 0u128;
    for byte in rest.bytes() {
        let value = DIGITS.iter().position(|digit| *digit == byte)?;
        bits = (bits << 5) | value as u128;
    }
    let first = (bits >> 32) as u64;
    format!("{:012}", (first & ACCOUNT_BITS) >> 7).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_tell_their_account() {
        let environment = Environment::real();
        for account in ["123456789012", "000000000001", "999999999999"] {
            let account: AccountId = account.parse().expect("an account");
            let id = fresh("ASIA", &account, &environment);
            assert_eq!((id.len(), &id[..4]), (20, "ASIA"));
            assert_eq!(account_of_key(&id), Some(account));
        }
        // An id that AWS's documentation shows.
        assert_eq!(
            account_of_key("ASIAQNZGKIQY56JQ7WML").map(|account| account.to_string()),
            Some("029608264753".to_owned())
        );
        assert_eq!(account_of_key("AKIA"), None);
        assert_eq!(account_of_key("AKIA0000000000000000"), None);
    }
}
