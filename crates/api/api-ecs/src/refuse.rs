//! What is not honoured is refused by name.

use crate::errors::client;
use aws_wire::ServiceError;

/// Refuses a parameter that is given but would not be honoured.
pub(crate) fn refuse(given: bool, parameter: &str) -> Result<(), ServiceError> {
    if given {
        return Err(client(format!(
            "The parameter '{parameter}' is not supported by this region; remove it. See docs/guides/task-parameters.md."
        )));
    }
    Ok(())
}

/// Whether a list says anything.
pub(crate) fn filled<T>(list: Option<&Vec<T>>) -> bool {
    list.is_some_and(|list| !list.is_empty())
}
