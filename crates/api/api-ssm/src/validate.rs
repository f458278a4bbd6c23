//! Checks of a value that is put: its size for the tier, its pattern, its type of data.

use crate::errors::invalid;
use crate::shapes::errors::{INVALID_ALLOWED_PATTERN_EXCEPTION, PARAMETER_PATTERN_MISMATCH_EXCEPTION};
use aws_wire::ServiceError;
use regex::RegexBuilder;
use resources::ssm::Tier;

/// Most bytes of a value in the standard tier.
pub(crate) const STANDARD_BYTES: usize = 4096;
/// Most bytes of a value in the advanced tier.
const ADVANCED_BYTES: usize = 8192;
/// Most bytes that a compiled pattern may take.
const PATTERN_BYTES: usize = 1 << 20;

/// Refuses a value that is empty or too long for its tier.
pub(crate) fn check_size(value: &str, tier: Tier) -> Result<(), ServiceError> {
    if value.is_empty() {
        return Err(invalid(
            "1 validation error detected: Value '' at 'value' failed to satisfy constraint: Member must have length \
             greater than or equal to 1.",
        ));
    }
    match tier {
        Tier::Standard if value.len() > STANDARD_BYTES => Err(invalid(
            "Standard tier parameters support a maximum parameter value of 4096 characters. To create a larger parameter \
             value, upgrade the parameter to use the advanced-parameter tier. For more information, see \
             https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html",
        )),
        Tier::Advanced if value.len() > ADVANCED_BYTES => {
            Err(invalid("Advanced tier parameters support a maximum parameter value of 8192 characters."))
        }
        Tier::Standard | Tier::Advanced => Ok(()),
    }
}

/// Refuses a value that does not match the parameter's pattern. The value is not repeated.
pub(crate) fn check_pattern(value: &str, pattern: Option<&str>) -> Result<(), ServiceError> {
    let Some(pattern) = pattern.filter(|pattern| !pattern.is_empty()) else { return Ok(()) };
    let regex = RegexBuilder::new(&format!("^(?:{pattern})$")).size_limit(PATTERN_BYTES).build();
    let regex = regex.map_err(|_| {
        ServiceError::new(
            &INVALID_ALLOWED_PATTERN_EXCEPTION,
            "The request doesn't meet the regular expression requirement.",
        )
    })?;
    if regex.is_match(value) {
        return Ok(());
    }
    Err(ServiceError::new(
        &PARAMETER_PATTERN_MISMATCH_EXCEPTION,
        format!("Parameter value, cannot be validated against allowedPattern: {pattern}"),
    ))
}

/// Refuses types of data that the region cannot check: it has no machine images.
pub(crate) fn check_data_type(data_type: &str) -> Result<(), ServiceError> {
    match data_type {
        "text" => Ok(()),
        "aws:ec2:image" => Err(invalid(
            "This region has no machine images, so no parameter can have the data type aws:ec2:image.",
        )),
        other => Err(invalid(format!(
            "The following data type is not supported: {other} (Data type names are all lowercase.)"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_patterns() {
        assert!(check_size(&"x".repeat(4096), Tier::Standard).is_ok());
        assert!(check_size(&"x".repeat(4097), Tier::Standard).is_err());
        assert!(check_size(&"x".repeat(8192), Tier::Advanced).is_ok());
        assert!(check_size(&"x".repeat(8193), Tier::Advanced).is_err());
        assert!(check_pattern("123", Some(r"\d+")).is_ok());
        let refused = check_pattern("hunter2", Some("[a-z]+")).expect_err("refused");
        assert_eq!(refused.shape.name, "ParameterPatternMismatchException");
        assert!(!refused.message.contains("hunter2"));
        for bad in ["(", "(?<a", r"a{1000}{1000}{1000}"] {
            let refused = check_pattern("a", Some(bad)).expect_err("refused");
            assert_eq!(refused.shape.name, "InvalidAllowedPatternException", "{bad}");
        }
    }
}
