//! Actions of statements, compared so that the many that do not match cost next to nothing.

use crate::Context;
use crate::pattern::Pattern;
use crate::template::{Special, Token, tokenize};

/// How many characters of an action are compared at once.
const HEAD: usize = size_of::<u64>();

/// A compiled action of a statement.
#[derive(Debug)]
pub(crate) struct ActionPattern {
    /// What an action must begin with, as far as it fits, and which bytes of it count.
    head: u64,
    mask: u64,
    pattern: Pattern,
}

/// The action of a request.
#[derive(Debug)]
pub(crate) struct ActionName {
    head: u64,
    /// In lower case.
    text: String,
}

impl ActionName {
    pub(crate) fn new(text: &str) -> Self {
        let text = text.to_ascii_lowercase();
        Self { head: head_of(&text), text }
    }
}

impl ActionPattern {
    /// Actions are not case-sensitive and know no variables.
    pub(crate) fn compile(text: &str) -> Self {
        let tokens = tokenize(&text.to_ascii_lowercase(), Special { wildcards: true, variables: false });
        let prefix = match tokens.first() {
            Some(Token::Text(text)) => text.as_str(),
            _ => "",
        };
        let head = head_of(prefix);
        let mask = u64::from_le_bytes(std::array::from_fn(|at| if at < prefix.len() { u8::MAX } else { 0 }));
        Self { head, mask, pattern: Pattern::from_tokens(tokens) }
    }

    pub(crate) fn matches(&self, action: &ActionName, context: &Context) -> bool {
        action.head & self.mask == self.head && self.pattern.matches(&action.text, context)
    }
}

/// The first bytes of a text, zeros behind its end.
fn head_of(text: &str) -> u64 {
    let bytes = text.as_bytes();
    u64::from_le_bytes(std::array::from_fn::<u8, HEAD, _>(|at| bytes.get(at).copied().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, action: &str) -> bool {
        ActionPattern::compile(pattern).matches(&ActionName::new(action), &Context::new())
    }

    #[test]
    fn actions_are_not_case_sensitive() {
        for (pattern, action, expected) in [
            ("*", "ecs:RunTask", true),
            ("*:*", "ecs:RunTask", true),
            ("ECS:runtask", "ecs:RunTask", true),
            ("ecs:Run*", "ecs:RunTask", true),
            ("ecs:Ru?Task", "ecs:RunTask", true),
            ("e*:RunTask", "ecs:RunTask", true),
            ("ecs:RunTask", "ecs:RunTasks", false),
            ("ecs:RunTasks", "ecs:RunTask", false),
            ("ecr:*", "ecs:RunTask", false),
            ("s3:*", "s3:A", true),
            ("s3:A", "s3:A", true),
            ("s3:AB", "s3:A", false),
        ] {
            assert_eq!(matches(pattern, action), expected, "{pattern} on {action}");
        }
    }

    proptest! {
        #[test]
        fn the_head_changes_nothing(pattern in "[ab:*?]{0,12}", action in "[ab:]{0,12}") {
            let special = Special { wildcards: true, variables: false };
            let plain = Pattern::compile(&pattern, special).matches(&action, &Context::new());
            prop_assert_eq!(matches(&pattern, &action), plain);
        }
    }
}
