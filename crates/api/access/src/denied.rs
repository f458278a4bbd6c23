//! Denials, in AWS's words.

use crate::AccessError;
use iam_policy::{Decision, Effect};

/// Why a caller may not do what it asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Denied {
    /// The text for the caller.
    pub message: String,
    /// Who asked.
    pub principal_arn: String,
    /// Unique id of who asked.
    pub principal_id: String,
    /// The action.
    pub action: String,
    /// The resource.
    pub resource: String,
    /// What the policies say; `None` where no policy was asked.
    pub decision: Option<Decision>,
}

/// Why there is no answer of yes.
#[derive(Debug, thiserror::Error)]
pub enum NotAllowed {
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Box<Denied>),
    /// It cannot be known.
    #[error(transparent)]
    Failed(#[from] AccessError),
}

impl Denied {
    /// Whether a statement denies it, rather than none allowing it.
    pub fn is_explicit(&self) -> bool {
        self.decision.as_ref().is_some_and(|decision| decision.effect == Effect::ExplicitDeny)
    }
}
