//! `Principal` and `NotPrincipal` of a statement, and how directly they name a caller.

use crate::Principal;
use crate::statement::StatementEffect;
use crate::syntax::{PrincipalType, RawPrincipal};
use identifiers::AccountId;

/// How directly a resource's policy names a caller, which decides what else has to allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Grant {
    /// To the caller's account, which has yet to pass it on by its own policies.
    Account,
    /// To the role behind a session or the user behind a federated one: boundary and session policies still limit it.
    Limited,
    /// To the caller itself: within an account nothing else needs to allow.
    Direct,
}

/// Whom a statement is about.
#[derive(Debug)]
pub(crate) enum PrincipalClause {
    /// `Principal`
    Only(PrincipalSet),
    /// `NotPrincipal`
    Except(PrincipalSet),
}

/// The principals that an element names.
#[derive(Debug, Default)]
pub(crate) struct PrincipalSet {
    anyone: bool,
    accounts: Vec<AccountId>,
    /// ARNs and unique ids of users, roles and sessions.
    entities: Vec<Box<str>>,
    services: Vec<Box<str>>,
    federated: Vec<Box<str>>,
}

impl PrincipalClause {
    pub(crate) fn compile(raw: &RawPrincipal, negated: bool) -> Self {
        let set = PrincipalSet::compile(raw);
        if negated { Self::Except(set) } else { Self::Only(set) }
    }

    /// How directly the statement is about a caller, if at all.
    pub(crate) fn grants(
        &self,
        caller: &Principal,
        effect: StatementEffect,
        has_boundary: bool,
    ) -> Option<Grant> {
        match (self, effect) {
            (Self::Only(set), _) => set.names(caller, effect),
            // Not to be named at all is what an allow of this form asks for; AWS advises against it.
            (Self::Except(set), StatementEffect::Allow) => {
                set.names(caller, StatementEffect::Deny).is_none().then_some(Grant::Direct)
            }
            // As documented, such a deny hits everyone who has a permissions boundary.
            (Self::Except(set), StatementEffect::Deny) => {
                (has_boundary || !set.exempts(caller)).then_some(Grant::Direct)
            }
        }
    }

    /// The users, roles and sessions it names.
    pub(crate) fn named(&self) -> impl Iterator<Item = &str> {
        let (Self::Only(set) | Self::Except(set)) = self;
        set.entities.iter().map(|entity| &**entity)
    }
}

impl PrincipalSet {
    fn compile(raw: &RawPrincipal) -> Self {
        let mut set = Self::default();
        let RawPrincipal::Named(kinds) = raw else {
            set.anyone = true;
            return set;
        };
        for (kind, values) in kinds {
            for value in values {
                match kind {
                    PrincipalType::Aws if value == "*" => set.anyone = true,
                    PrincipalType::Aws => match account_of(value) {
                        Some(account) => set.accounts.push(account),
                        None => set.entities.push(value.as_str().into()),
                    },
                    PrincipalType::Service => set.services.push(value.as_str().into()),
                    PrincipalType::Federated => set.federated.push(value.as_str().into()),
                    // Canonical ids belong to S3; no caller of this region has one, so nobody is named.
                    PrincipalType::CanonicalUser => {}
                }
            }
        }
        set
    }

    fn names(&self, caller: &Principal, effect: StatementEffect) -> Option<Grant> {
        if self.anyone {
            // Everyone, but not whom an identity provider vouches for: whoever trusts a provider names it.
            let outsider = matches!(caller, Principal::Federated { .. }) && effect == StatementEffect::Allow;
            if !outsider {
                return Some(Grant::Direct);
            }
        }
        match caller {
            Principal::Root { account, .. } => self.has_account(account).then_some(Grant::Direct),
            Principal::User { account, arn, unique_id } => {
                let itself = self.has_entity(arn) || self.has_entity(unique_id);
                if itself { Some(Grant::Direct) } else { self.account_grant(account) }
            }
            Principal::AssumedRole { account, arn, role_arn, role_id } => {
                if self.has_entity(arn) {
                    Some(Grant::Direct)
                } else if self.has_entity(role_arn) || self.has_entity(role_id) {
                    Some(Grant::Limited)
                } else {
                    self.account_grant(account)
                }
            }
            Principal::FederatedUser { account, arn, user_arn, user_id } => {
                if self.has_entity(arn) {
                    Some(Grant::Direct)
                } else if self.has_entity(user_arn) || user_id.as_ref().is_some_and(|id| self.has_entity(id))
                {
                    Some(Grant::Limited)
                } else {
                    self.account_grant(account)
                }
            }
            Principal::Federated { provider } => contains(&self.federated, provider).then_some(Grant::Direct),
            Principal::Service { name } => contains(&self.services, name).then_some(Grant::Direct),
            Principal::Anonymous => None,
        }
    }

    /// Is a caller one of whom `NotPrincipal` speaks? AWS looks at the account first and at the user or role then, so
    /// both have to be named.
    fn exempts(&self, caller: &Principal) -> bool {
        if self.anyone {
            return true;
        }
        let named = self.names(caller, StatementEffect::Deny);
        match caller.account() {
            None => named.is_some(),
            Some(account) => self.has_account(account) && named > Some(Grant::Account),
        }
    }

    fn account_grant(&self, account: &AccountId) -> Option<Grant> {
        self.has_account(account).then_some(Grant::Account)
    }

    fn has_account(&self, account: &AccountId) -> bool {
        self.accounts.contains(account)
    }

    fn has_entity(&self, name: &str) -> bool {
        contains(&self.entities, name)
    }
}

fn contains(names: &[Box<str>], name: &str) -> bool {
    names.iter().any(|known| **known == *name)
}

/// The account that `123456789012` or `arn:aws:iam::123456789012:root` stands for.
fn account_of(text: &str) -> Option<AccountId> {
    if let Ok(account) = text.parse() {
        return Some(account);
    }
    let arn: identifiers::Arn = text.parse().ok()?;
    (arn.service == "iam" && arn.resource == "root").then(|| arn.account.parse().ok())?
}
