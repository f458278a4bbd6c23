//! Why a document is not a policy, in AWS's words.

/// A document that AWS answers with `MalformedPolicyDocument`; it displays AWS's message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedPolicy {
    /// Not JSON, or not the shape of a policy.
    #[error("Syntax errors in policy.")]
    Syntax,
}
