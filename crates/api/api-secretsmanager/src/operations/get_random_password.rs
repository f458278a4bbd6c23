//! GetRandomPassword.

use crate::SecretsManagerService;
use crate::errors::{invalid_parameter, invalid_request};
use crate::shapes::{GetRandomPasswordRequest, GetRandomPasswordResponse};
use aws_wire::{RequestContext, ServiceError};
use environment::Environment;

const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const NUMBERS: &str = "0123456789";
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
/// Characters of a password when the request does not say.
const USUAL: i64 = 32;
/// Fewest characters of a password.
const FEWEST: i64 = 4;

pub(crate) async fn run(
    service: &SecretsManagerService,
    _: &RequestContext,
    input: GetRandomPasswordRequest,
) -> Result<GetRandomPasswordResponse, ServiceError> {
    let length = input.password_length.unwrap_or(USUAL);
    if length < FEWEST {
        return Err(invalid_parameter("Password length is too short based on the required types."));
    }
    let length = usize::try_from(length).unwrap_or_default();
    let excluded = input.exclude_characters.unwrap_or_default();
    let used = |kind: &str, leave_out: Option<bool>| {
        let left = kind.chars().filter(|letter| !excluded.contains(*letter));
        if leave_out == Some(true) { String::new() } else { left.collect() }
    };
    let mut kinds = vec![
        used(LOWER, input.exclude_lowercase),
        used(UPPER, input.exclude_uppercase),
        used(NUMBERS, input.exclude_numbers),
        used(PUNCTUATION, input.exclude_punctuation),
    ];
    kinds.retain(|kind| !kind.is_empty());
    // A space may be there, and is not demanded.
    let space = used(" ", Some(input.include_space != Some(true)));
    if kinds.is_empty() && space.is_empty() {
        return Err(invalid_request("The password would have no characters to be made of."));
    }
    let each = input.require_each_included_type != Some(false);
    if each && length < kinds.len() {
        return Err(invalid_parameter("Password length is too short based on the required types."));
    }
    let all = kinds.concat() + &space;
    let each = if each { &kinds[..] } else { &[] };
    let password = password(service.tables.environment(), length, each, &all);
    Ok(GetRandomPasswordResponse { random_password: Some(password) })
}

/// `length` characters of `all`, of which at least one of every kind of `each`, at places of chance.
fn password(environment: &Environment, length: usize, each: &[String], all: &str) -> String {
    let mut kinds_used: Vec<&str> = each.iter().map(String::as_str).collect();
    kinds_used.resize(length.max(kinds_used.len()), all);
    let mut letters: Vec<String> =
        kinds_used.iter().map(|kind| environment.random_text(1, kind.as_bytes())).collect();
    // Fisher and Yates, so that the first characters tell nothing of their kind.
    for last in (1..letters.len()).rev() {
        letters.swap(last, below(environment, last + 1));
    }
    letters.concat()
}

/// A random number below `bound`, which is at most 4,096: the bias of a remainder of 64 bits does not matter.
fn below(environment: &Environment, bound: usize) -> usize {
    let mut bytes = [0; 8];
    environment.fill_random(&mut bytes);
    (u64::from_le_bytes(bytes) % bound as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_kind_is_there(length in 4..200usize, count in 1..4usize) {
            let kinds: Vec<String> =
                [LOWER, UPPER, NUMBERS, PUNCTUATION][..count].iter().map(|kind| (*kind).to_owned()).collect();
            let made = password(&Environment::real(), length, &kinds, &kinds.concat());
            prop_assert_eq!(made.len(), length);
            for kind in &kinds {
                prop_assert!(made.chars().any(|letter| kind.contains(letter)), "{}", made);
            }
        }
    }
}
