//! One line of a `Condition` block: an operator, a key, and the values to compare with.
//!
//! The rules for several values and absent keys are AWS's: values in the policy are alternatives; an operator that
//! negates holds when no alternative matches, and when the key is absent; `...IfExists` holds when the key is absent;
//! `ForAllValues:` holds when the request has no value, `ForAnyValue:` does not, whatever the operator.
//! A value of the wrong type is never an error, it does not match. A variable without a value matches nothing either,
//! and an allow that negates cannot live on that: it does not hold.

mod date;
mod number;
mod operator;
mod test;

pub(crate) use date::parse as parse_date;
pub(crate) use operator::{Comparison, Operator};

use crate::Context;
use crate::statement::StatementEffect;
use crate::syntax::{RawCondition, Version};
use operator::Qualifier;
use test::Test;

/// A compiled condition.
#[derive(Debug)]
pub(crate) struct Condition {
    /// As written.
    name: Box<str>,
    /// In lower case.
    key: Box<str>,
    operator: Operator,
    test: Test,
    has_variables: bool,
}

impl Condition {
    /// Compiles a condition; none for an operator that does not exist, which the syntax lets through only where it
    /// compares nothing.
    pub(crate) fn compile(raw: &RawCondition, version: Version) -> Option<Self> {
        let operator = Operator::parse(&raw.operator)?;
        let test = Test::compile(operator.comparison, &raw.values, version);
        let has_variables = test.variables().next().is_some();
        Some(Self {
            name: raw.key.as_str().into(),
            key: raw.key.to_ascii_lowercase().into(),
            operator,
            test,
            has_variables,
        })
    }

    /// Does the request meet it, in a statement of this effect?
    pub(crate) fn holds(&self, context: &Context, effect: StatementEffect) -> bool {
        let values = context.get_lower(&self.key);
        if let Test::Null(wanted) = &self.test {
            return wanted.contains(&values.is_empty());
        }
        let Operator { qualifier, negated, if_exists, .. } = self.operator;
        if values.is_empty() && if_exists {
            return true;
        }
        if negated && effect == StatementEffect::Allow && self.is_unresolved(context) {
            return false;
        }
        if values.is_empty() {
            return match qualifier {
                Qualifier::ForAllValues => true,
                Qualifier::ForAnyValue => false,
                Qualifier::None => negated,
            };
        }
        let matches = |value: &str| self.test.matches(value, context);
        match qualifier {
            Qualifier::ForAllValues => values.iter().all(|value| matches(value) != negated),
            Qualifier::ForAnyValue => values.iter().any(|value| matches(value) != negated),
            Qualifier::None => values.iter().any(|value| matches(value)) != negated,
        }
    }

    fn is_unresolved(&self, context: &Context) -> bool {
        self.has_variables && self.test.variables().any(|variable| variable.resolve(context).is_none())
    }

    /// The condition keys that it asks for, those of variables included.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&*self.name).chain(self.test.variables().map(|variable| variable.name.as_str()))
    }
}

#[cfg(test)]
mod tests;
