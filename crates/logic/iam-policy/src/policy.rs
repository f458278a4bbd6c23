//! A policy document, checked and compiled.

use crate::principal_clause::PrincipalClause;
use crate::statement::Statement;
use crate::syntax::{Document, Version};
use crate::{MalformedPolicy, validate};
use std::collections::HashSet;

/// No kind of policy may be longer; the quotas of IAM per kind are lower and its API's to check.
pub(crate) const MAX_CHARACTERS: usize = 131_072;

/// More than the longest document could hold of useful statements.
pub(crate) const MAX_STATEMENTS: usize = 2_000;

/// What a document is for, which decides what it must and must not contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PolicyKind {
    /// Inline in a user, group or role; also session policies. May leave out its version, which then is the oldest.
    Identity,
    /// A managed policy, which must say the newest version of the language, and else is as [`PolicyKind::Identity`].
    Managed,
    /// Attached to a resource, such as a repository or a secret.
    Resource,
    /// The trust policy of a role.
    Trust,
}

/// A compiled policy. Parse once, share behind an `Arc`.
#[derive(Debug)]
pub struct Policy {
    kind: PolicyKind,
    pub(crate) statements: Box<[Statement]>,
}

impl Policy {
    /// Checks and compiles a document.
    pub fn parse(text: &str, kind: PolicyKind) -> Result<Self, MalformedPolicy> {
        let document = Document::parse(text, kind)?;
        validate::check(&document, kind)?;
        let version = document.version.unwrap_or(Version::V2008);
        let statements = document.statements.iter().map(|raw| Statement::compile(raw, version)).collect();
        Ok(Self { kind, statements })
    }

    /// What the document is for.
    pub fn kind(&self) -> PolicyKind {
        self.kind
    }

    /// The condition keys that conditions and policy variables ask for, as written, each once, in order.
    pub fn context_keys(&self) -> Vec<&str> {
        let mut seen = HashSet::new();
        let keys = self.statements.iter().flat_map(Statement::keys);
        keys.filter(|key| seen.insert(key.to_ascii_lowercase())).collect()
    }

    /// The ARNs and unique ids of users, roles and sessions that `Principal` and `NotPrincipal` name, so that the
    /// API can refuse those that do not exist. Whole accounts are not among them.
    pub fn named_principals(&self) -> Vec<&str> {
        let clauses = self.statements.iter().filter_map(|statement| statement.principal.as_ref());
        clauses.flat_map(PrincipalClause::named).collect()
    }
}
