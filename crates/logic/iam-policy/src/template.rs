//! Text with wildcards and policy variables: `home/${aws:username}/*`.

use crate::Context;

/// A piece of a text that is to be matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// These characters.
    Text(String),
    /// `*`: any characters, or none.
    Star,
    /// `?`: one character.
    One,
    /// `${key}` or `${key, 'default'}`.
    Variable(Variable),
}

/// A policy variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variable {
    /// The condition key as written.
    pub(crate) name: String,
    key: String,
    default: Option<String>,
}

/// Which characters of a text are special.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Special {
    /// `*` and `?` are wildcards.
    pub(crate) wildcards: bool,
    /// `${...}` is a variable or an escape, as it is from version 2012-10-17 on.
    pub(crate) variables: bool,
}

impl Variable {
    /// The value that the request gives it. Only a key with one value can stand in for a variable.
    pub(crate) fn resolve<'a>(&'a self, context: &'a Context) -> Option<&'a str> {
        match context.get_lower(&self.key) {
            [value] => Some(value),
            [] => self.default.as_deref(),
            _ => None,
        }
    }
}

/// The variables among tokens.
pub(crate) fn variables(tokens: &[Token]) -> impl Iterator<Item = &Variable> {
    tokens.iter().filter_map(|token| match token {
        Token::Variable(variable) => Some(variable),
        Token::Text(_) | Token::Star | Token::One => None,
    })
}

/// Splits a text into tokens; neighbouring characters are one token. What only looks like a variable is text.
pub(crate) fn tokenize(text: &str, special: Special) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if special.variables
            && let Some((token, after)) = variable(rest)
        {
            push(&mut tokens, token);
            rest = after;
            continue;
        }
        let wildcard = match first {
            '*' if special.wildcards => Some(Token::Star),
            '?' if special.wildcards => Some(Token::One),
            _ => None,
        };
        // Text reaches to the next character that may be special.
        let after_first = &rest[first.len_utf8()..];
        let more = if wildcard.is_some() { Some(0) } else { after_first.find(['*', '?', '$']) };
        let (piece, after) = rest.split_at(more.map_or(rest.len(), |more| first.len_utf8() + more));
        push(&mut tokens, wildcard.unwrap_or_else(|| Token::Text(piece.to_owned())));
        rest = after;
    }
    tokens
}

fn push(tokens: &mut Vec<Token>, token: Token) {
    match (tokens.last_mut(), token) {
        (Some(Token::Text(text)), Token::Text(more)) => text.push_str(&more),
        // Two stars match what one matches.
        (Some(Token::Star), Token::Star) => {}
        (_, token) => tokens.push(token),
    }
}

/// The variable or escape that a text begins with, and what follows it.
fn variable(text: &str) -> Option<(Token, &str)> {
    let inside = text.strip_prefix("${")?;
    // A name ends before the next variable begins: no text is searched through twice.
    let name_end = inside.find([',', '}', '{']).filter(|end| !inside[*end..].starts_with('{'))?;
    let name = inside[..name_end].trim();
    if inside[name_end..].starts_with('}') {
        let after = &inside[name_end + 1..];
        return match name {
            "" => None,
            "*" | "?" | "$" => Some((Token::Text(name.to_owned()), after)),
            _ => Some((Token::Variable(new_variable(name, None)), after)),
        };
    }
    let quoted = inside[name_end + 1..].trim_start().strip_prefix('\'')?;
    let (default, after) = quoted.split_once('\'')?;
    let after = after.trim_start().strip_prefix('}')?;
    (!name.is_empty()).then(|| (Token::Variable(new_variable(name, Some(default))), after))
}

fn new_variable(name: &str, default: Option<&str>) -> Variable {
    Variable { name: name.to_owned(), key: name.to_ascii_lowercase(), default: default.map(str::to_owned) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Special = Special { wildcards: true, variables: true };

    fn shown(text: &str, special: Special) -> String {
        let show = |token: Token| match token {
            Token::Text(text) => format!("{text:?}"),
            Token::Star => "STAR".to_owned(),
            Token::One => "ONE".to_owned(),
            Token::Variable(variable) => format!("VAR({}{:?})", variable.name, variable.default),
        };
        tokenize(text, special).into_iter().map(show).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn texts_split_into_tokens() {
        for (text, tokens) in [
            ("plain", r#""plain""#),
            ("a**b?", r#""a" STAR "b" ONE"#),
            ("home/${aws:username}/*", r#""home/" VAR(aws:usernameNone) "/" STAR"#),
            ("${aws:PrincipalTag/team, 'a*b'}x", r#"VAR(aws:PrincipalTag/teamSome("a*b")) "x""#),
            ("${aws:username,''}", r#"VAR(aws:usernameSome(""))"#),
            ("a${*}b${?}c${$}{d}", r#""a*b?c${d}""#),
            ("${", r#""${""#),
            ("${}", r#""${}""#),
            ("${a", r#""${a""#),
            ("${a, b}", r#""${a, b}""#),
            ("${a, 'b}", r#""${a, 'b}""#),
            ("$a", r#""$a""#),
            ("${a${b}}", r#""${a" VAR(bNone) "}""#),
            ("ü?ü", r#""ü" ONE "ü""#),
        ] {
            assert_eq!(shown(text, ALL), tokens, "{text}");
        }
    }

    #[test]
    fn special_characters_are_a_choice() {
        let none = Special { wildcards: false, variables: false };
        assert_eq!(shown("*?${a}", none), r#""*?${a}""#);
        assert_eq!(shown("*${*}", Special { variables: true, ..none }), r#""**""#);
    }

    #[test]
    fn hostile_texts_stay_cheap() {
        for text in ["${", "${a", "${a,", "${a,'", "${a, ", "${a,''"] {
            // Were every beginning of a variable searched to the end of the text, this would be quadratic.
            let hostile = text.repeat(131_072 / text.len());
            let tokens = tokenize(&hostile, ALL);
            assert!(!tokens.iter().any(|token| matches!(token, Token::Variable(_))), "{text}");
        }
    }

    #[test]
    fn variables_take_one_value_or_the_default() {
        let [Token::Variable(variable)] = &tokenize("${AWS:UserName, 'nobody'}", ALL)[..] else {
            panic!("a variable")
        };
        let mut context = Context::new();
        assert_eq!(variable.resolve(&context), Some("nobody"));
        context.set("aws:username", "ann");
        assert_eq!(variable.resolve(&context), Some("ann"));
        context.add("aws:username", "bob");
        assert_eq!(variable.resolve(&context), None);
    }
}
