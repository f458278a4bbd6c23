//! Names of load balancers and target groups.

use crate::errors::{Failure, validation};

/// Longest name.
const LONGEST: usize = 32;

/// Checks a name; `what` is what it is of.
pub(crate) fn check(what: &str, name: &str) -> Result<(), Failure> {
    if name.is_empty() {
        return Err(validation(format_args!("{what} name must not be empty")));
    }
    if name.len() > LONGEST {
        return Err(validation(format_args!(
            "{what} name '{name}' cannot be longer than '{LONGEST}' characters"
        )));
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err(validation(format_args!(
            "{what} name '{name}' can only contain characters that are alphanumeric characters or hyphens(-)"
        )));
    }
    if name.starts_with('-') || name.ends_with('-') {
        return Err(validation(format_args!("{what} name '{name}' cannot begin or end with a hyphen(-)")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for good in ["a", "web-1", "A0123456789012345678901234567890"] {
            assert!(check("Load balancer", good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "a_b", "a.b", "A01234567890123456789012345678901"] {
            assert!(check("Load balancer", bad).is_err(), "{bad}");
        }
    }
}
