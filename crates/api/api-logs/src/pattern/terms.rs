//! Terms: `ERROR "a phrase" -debug %regex%`, or `?this ?that`.
//!
//! Every term must occur, none with a minus may. Terms with a question mark want any of them; beside other terms they
//! are ignored, as AWS documents.

use super::PatternError;
use super::cursor::Cursor;
use regex::Regex;

/// The terms of a pattern.
#[derive(Debug, Default)]
pub struct Terms {
    required: Vec<Term>,
    excluded: Vec<Term>,
    any: Vec<Term>,
}

#[derive(Debug)]
enum Term {
    Text(String),
    Regex(Regex),
}

impl Term {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, PatternError> {
        match cursor.peek() {
            Some('"') => Ok(Self::Text(cursor.quoted('"')?)),
            Some('%') => Ok(Self::Regex(cursor.regex()?)),
            _ => {
                let word = cursor.take_while(|c| !c.is_whitespace());
                if word.is_empty() {
                    return Err(cursor.unexpected("a term"));
                }
                if !word.chars().all(|c| c.is_alphanumeric() || c == '_') {
                    return Err(PatternError::new(format!("Invalid character(s) in term '{word}'")));
                }
                Ok(Self::Text(word.to_owned()))
            }
        }
    }

    fn occurs(&self, message: &str) -> bool {
        match self {
            Self::Text(text) => message.contains(text.as_str()),
            Self::Regex(regex) => regex.is_match(message),
        }
    }
}

impl Terms {
    /// Reads terms up to the end.
    pub fn parse(cursor: &mut Cursor<'_>) -> Result<Self, PatternError> {
        let mut terms = Self::default();
        loop {
            cursor.skip_space();
            if cursor.peek().is_none() {
                return Ok(terms);
            }
            let list = if cursor.eat("-") {
                &mut terms.excluded
            } else if cursor.eat("?") {
                &mut terms.any
            } else {
                &mut terms.required
            };
            list.push(Term::parse(cursor)?);
        }
    }

    /// Whether the message has the terms.
    pub fn matches(&self, message: &str) -> bool {
        if self.required.is_empty() && self.excluded.is_empty() {
            return self.any.is_empty() || self.any.iter().any(|term| term.occurs(message));
        }
        self.required.iter().all(|term| term.occurs(message))
            && !self.excluded.iter().any(|term| term.occurs(message))
    }
}
