//! Operations: the records of changes.

use aws_wire::RequestContext;
use environment::Environment;
use resources::discovery::{Operation, OperationKind, TargetKind};

const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// A random id as AWS has them: a prefix and 16 letters and digits.
pub(crate) fn random_id(random: &Environment, prefix: &str) -> String {
    format!("{prefix}-{}", random.random_text(16, LETTERS))
}

/// The record of a change, to be written in its transaction.
pub(crate) fn operation(
    random: &Environment,
    context: &RequestContext,
    kind: OperationKind,
    targets: &[(TargetKind, &str)],
) -> Operation {
    Operation {
        account: context.account.clone(),
        id: format!("{}-{}", random.random_text(32, LETTERS), random.random_text(8, LETTERS)),
        kind,
        targets: targets.iter().map(|(kind, id)| (*kind, (*id).to_owned())).collect(),
        created_at: context.time,
    }
}
