//! Matching of ARNs, part by part: a wildcard never reaches over one of the first five colons.

use crate::Context;
use crate::pattern::Pattern;
use crate::template::{Special, Token, Variable, tokenize};

/// The parts of an ARN: `arn`, partition, service, region, account and all the rest.
const PARTS: usize = 6;

/// A request's ARN, cut into its parts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ArnText<'a> {
    text: &'a str,
    parts: Option<[&'a str; PARTS]>,
}

impl<'a> ArnText<'a> {
    /// What is not an ARN has no parts, and is matched by `*` alone.
    pub(crate) fn new(text: &'a str) -> Self {
        let mut cut = text.splitn(PARTS, ':');
        let mut parts = [""; PARTS];
        for part in &mut parts {
            let Some(piece) = cut.next() else { return Self { text, parts: None } };
            *part = piece;
        }
        Self { text, parts: (parts[0] == "arn").then_some(parts) }
    }
}

/// Where the variables of a pattern may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variables {
    /// In the old version of the language `${` is text.
    Nowhere,
    /// `Resource`: behind the fifth colon only.
    ResourcePart,
    /// Operators for ARNs.
    Everywhere,
}

/// A compiled pattern for ARNs.
#[derive(Clone, Debug)]
pub(crate) enum ArnPattern {
    /// `*`
    Any,
    /// A variable that stands for a whole ARN, or for its beginning.
    Whole(Box<Pattern>),
    /// Without the leading `arn`.
    Parts(Box<[Pattern; PARTS - 1]>),
}

impl ArnPattern {
    /// Compiles a text. Parts that are missing at its end may be anything, as AWS reads it.
    pub(crate) fn compile(text: &str, variables: Variables) -> Self {
        if text == "*" {
            return Self::Any;
        }
        let special = Special { wildcards: true, variables: variables != Variables::Nowhere };
        let tokens = tokenize(text, special);
        let mut parts = cut_at_colons(&tokens).into_iter();
        // What a resource begins with is of no account to AWS.
        let first = parts.next();
        if variables == Variables::Everywhere && first.as_deref().is_some_and(has_variable) {
            return Self::Whole(Box::new(Pattern::from_tokens(tokens)));
        }
        let compiled: [Pattern; PARTS - 1] = std::array::from_fn(|at| match parts.next() {
            None => Pattern::Any,
            Some(tokens) if variables == Variables::ResourcePart && at < PARTS - 2 => {
                // AWS documents that variables have no effect here, and no ARN has such a part.
                if has_variable(&tokens) { Pattern::Nothing } else { Pattern::from_tokens(tokens) }
            }
            Some(tokens) => Pattern::from_tokens(tokens),
        });
        Self::Parts(Box::new(compiled))
    }

    /// Does an ARN match?
    pub(crate) fn matches(&self, arn: ArnText<'_>, context: &Context) -> bool {
        match self {
            Self::Any => true,
            Self::Whole(pattern) => arn.parts.is_some() && pattern.matches(arn.text, context),
            Self::Parts(patterns) => arn.parts.is_some_and(|parts| {
                let mut pairs = patterns.iter().zip(&parts[1..]);
                pairs.all(|(pattern, part)| pattern.matches(part, context))
            }),
        }
    }

    /// Its variables.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &Variable> {
        let patterns: &[Pattern] = match self {
            Self::Any => &[],
            Self::Whole(pattern) => std::slice::from_ref(&**pattern),
            Self::Parts(patterns) => &patterns[..],
        };
        patterns.iter().flat_map(Pattern::variables)
    }
}

fn has_variable(tokens: &[Token]) -> bool {
    tokens.iter().any(|token| matches!(token, Token::Variable(_)))
}

/// Cuts at the first five colons; those inside of variables do not count.
fn cut_at_colons(tokens: &[Token]) -> Vec<Vec<Token>> {
    let mut parts = vec![Vec::new()];
    for token in tokens {
        let Token::Text(text) = token else {
            push(&mut parts, token.clone());
            continue;
        };
        let missing = PARTS - parts.len();
        for (at, piece) in text.splitn(missing + 1, ':').enumerate() {
            if at > 0 {
                parts.push(Vec::new());
            }
            if !piece.is_empty() {
                push(&mut parts, Token::Text(piece.to_owned()));
            }
        }
    }
    parts
}

fn push(parts: &mut [Vec<Token>], token: Token) {
    if let Some(part) = parts.last_mut() {
        part.push(token);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, arn: &str) -> bool {
        ArnPattern::compile(pattern, Variables::Everywhere).matches(ArnText::new(arn), &Context::new())
    }

    #[test]
    fn parts_are_matched_one_by_one() {
        const TASK: &str = "arn:aws:ecs:us-east-1:123456789012:task/default/0123";
        for (pattern, arn, expected) in [
            ("*", TASK, true),
            ("*", "*", true),
            ("arn:aws:ecs:*:*:task/*", TASK, true),
            ("arn:aws:ecs:*:*:task/default/*", TASK, true),
            ("arn:aws:ecs:*:*:task/other/*", TASK, false),
            ("arn:aws:ecs:*:123456789012:*", TASK, true),
            ("arn:aws:ecs:us-*-1:12345678901?:*", TASK, true),
            ("arn:*:ecs:*:*:*", TASK, true),
            // A star stays within its part.
            ("arn:aws:ecs:*:task/*", TASK, false),
            ("arn:aws:s3*:us-east-1:123456789012:task/*", TASK, false),
            ("arn:aws:ecs:us-east-1*:*", TASK, true),
            ("arn:aws:ecs", TASK, true),
            ("arn:aws:s3", TASK, false),
            ("arn:aws:ecs:*:*:*", "*", false),
            ("arn:aws:ecs:*:*:*", "nonsense", false),
            // The rest may hold colons.
            ("arn:aws:logs:*:*:log-group:*:x", "arn:aws:logs:r:1:log-group:/a:b:x", true),
            ("arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket/a/b", true),
            ("arn:aws:s3:::bucket", "arn:aws:s3:::bucket/a", false),
            ("arn:aws:s3::1:bucket", "arn:aws:s3:::bucket", false),
            ("arn:aws:s3:::Bucket", "arn:aws:s3:::bucket", false),
        ] {
            assert_eq!(matches(pattern, arn), expected, "{pattern} on {arn}");
        }
    }

    #[test]
    fn variables_have_their_places() {
        let mut context = Context::new();
        context.set("aws:username", "ann");
        context.set("aws:PrincipalAccount", "123456789012");
        let user = ArnText::new("arn:aws:iam::123456789012:user/ann");
        let check =
            |pattern: &str, variables| ArnPattern::compile(pattern, variables).matches(user, &context);
        let by_name = "arn:aws:iam::*:user/${aws:username}";
        assert!(check(by_name, Variables::Everywhere));
        assert!(check(by_name, Variables::ResourcePart));
        assert!(!check(by_name, Variables::Nowhere));
        let by_account = "arn:aws:iam::${aws:PrincipalAccount}:user/*";
        assert!(check(by_account, Variables::Everywhere));
        assert!(!check(by_account, Variables::ResourcePart));
        context.set("aws:SourceArn", "arn:aws:iam::123456789012:user/ann");
        let whole = ArnPattern::compile("${aws:SourceArn}", Variables::Everywhere);
        assert!(whole.matches(user, &context));
        assert!(!whole.matches(ArnText::new("arn:aws:iam::123456789012:user/bob"), &context));
        assert!(!whole.matches(user, &Context::new()));
    }
}
