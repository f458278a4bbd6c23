//! Operations: the records of changes.

use aws_wire::RequestContext;
use environment::Environment;
use resources::discovery::{Operation, OperationKind, TargetKind};

/// The record of a change, to be written in its transaction.
pub(crate) fn operation(
    random: &Environment,
    context: &RequestContext,
    kind: OperationKind,
    targets: &[(TargetKind, &str)],
) -> Operation {
    Operation::new(random, &context.account, kind, targets, context.time)
}
