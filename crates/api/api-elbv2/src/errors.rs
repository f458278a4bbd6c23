//! Errors of the service, with AWS's texts.

use crate::shapes::errors;
use aws_wire::{ErrorShape, Fault, ServiceError};
use std::fmt::Display;
use store::StoreError;

/// Not in the model, because every service has it.
static INTERNAL: ErrorShape = ErrorShape {
    name: "InternalFailure",
    query_code: Some("InternalFailure"),
    status: 500,
    fault: Fault::Receiver,
    message_key: "message",
};

/// Why an operation did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The caller is answered this.
    #[error(transparent)]
    Answer(#[from] ServiceError),
    /// The store failed or somebody else wrote first.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Failure {
    /// Somebody else wrote first: read again and decide anew.
    pub(crate) fn is_conflict(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_conflict())
    }
}

impl From<Failure> for ServiceError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Answer(error) => error,
            Failure::Store(error) => {
                tracing::error!(%error, "the store failed");
                Self::new(&INTERNAL, "The request processing has failed because of an internal error.")
            }
        }
    }
}

fn answer(shape: &'static ErrorShape, message: impl Display) -> Failure {
    Failure::Answer(ServiceError::new(shape, message.to_string()))
}

/// An input is wrong in itself, beyond what the model says.
pub(crate) fn validation(message: impl Display) -> Failure {
    answer(&errors::VALIDATION_ERROR, message)
}

/// A setting that cannot be had.
pub(crate) fn configuration(message: impl Display) -> Failure {
    answer(&errors::INVALID_CONFIGURATION_REQUEST_EXCEPTION, message)
}

/// There is no such load balancer.
pub(crate) fn load_balancer_not_found(which: &str) -> Failure {
    answer(&errors::LOAD_BALANCER_NOT_FOUND_EXCEPTION, format_args!("Load balancers '[{which}]' not found"))
}

/// There is no such listener.
pub(crate) fn listener_not_found(arn: &str) -> Failure {
    answer(&errors::LISTENER_NOT_FOUND_EXCEPTION, format_args!("Listeners '[{arn}]' not found"))
}

/// There is no such rule.
pub(crate) fn rule_not_found(arn: &str) -> Failure {
    answer(&errors::RULE_NOT_FOUND_EXCEPTION, format_args!("Rules '[{arn}]' not found"))
}

/// There is no such target group.
pub(crate) fn target_group_not_found(which: &str) -> Failure {
    answer(&errors::TARGET_GROUP_NOT_FOUND_EXCEPTION, format_args!("Target groups '{which}' not found"))
}

/// The same failure where a list is asked for, which does not say what of it is missing.
pub(crate) fn in_list(failure: Failure) -> Failure {
    let Failure::Answer(error) = &failure else { return failure };
    let what = match error.shape.query_code {
        Some("LoadBalancerNotFound") => "load balancers",
        Some("ListenerNotFound") => "listeners",
        Some("RuleNotFound") => "rules",
        Some("TargetGroupNotFound") => "target groups",
        _ => return failure,
    };
    answer(error.shape, format_args!("One or more {what} not found"))
}

/// Another error of the model.
pub(crate) fn other(shape: &'static ErrorShape, message: impl Display) -> Failure {
    answer(shape, message)
}
