//! A place in the text of a query.

use std::ops::Range;

/// Why a text is no query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Malformed {
    /// What is wrong.
    pub message: String,
    /// Where, counted in characters.
    pub place: Range<usize>,
}

/// Words that are no names of fields.
const RESERVED: [&str; 9] = ["and", "or", "not", "in", "like", "as", "by", "asc", "desc"];

/// Walks through a text.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// The text from `start` up to here.
    pub(crate) fn since(&self, start: usize) -> &'a str {
        self.text[start..self.at].trim()
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Goes past white space and comments.
    pub(crate) fn skip_space(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            let comment = trimmed.starts_with('#') || trimmed.starts_with("//");
            if !comment {
                return;
            }
            self.at += trimmed.find('\n').unwrap_or(trimmed.len());
        }
    }

    pub(crate) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(crate) fn is_at_end(&mut self) -> bool {
        self.skip_space();
        self.rest().is_empty()
    }

    /// Goes past a symbol if it is next.
    pub(crate) fn eat(&mut self, symbol: &str) -> bool {
        self.skip_space();
        let eaten = self.rest().starts_with(symbol);
        if eaten {
            self.at += symbol.len();
        }
        eaten
    }

    /// Goes past a word in any case if it is next.
    pub(crate) fn eat_word(&mut self, word: &str) -> bool {
        self.skip_space();
        let Some((head, tail)) = self.rest().split_at_checked(word.len()) else { return false };
        let eaten = head.eq_ignore_ascii_case(word) && !tail.starts_with(is_inside_name);
        if eaten {
            self.at += word.len();
        }
        eaten
    }

    pub(crate) fn require(&mut self, symbol: &str) -> Result<(), Malformed> {
        if self.eat(symbol) { Ok(()) } else { Err(self.expected(&format!("'{symbol}'"))) }
    }

    /// A plain word, as commands and functions are named.
    pub(crate) fn word(&mut self) -> Option<&'a str> {
        self.skip_space();
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let word = &rest[..end];
        if word.starts_with(|c: char| c.is_ascii_alphabetic()) {
            self.at += end;
            Some(word)
        } else {
            None
        }
    }

    /// The name of a field, bare or between backticks, if one is next.
    pub(crate) fn name(&mut self) -> Result<Option<String>, Malformed> {
        self.skip_space();
        if self.peek() == Some('`') {
            let (name, _) = self.rest()[1..].split_once('`').ok_or_else(|| self.expected("a closing '`'"))?;
            self.at += name.len() + 2;
            return Ok(Some(name.to_owned()));
        }
        let rest = self.rest();
        if !rest.starts_with(|c: char| c.is_alphabetic() || matches!(c, '_' | '@' | '$')) {
            return Ok(None);
        }
        let end = rest.find(|c| !is_inside_name(c)).unwrap_or(rest.len());
        let name = rest[..end].trim_end_matches('.');
        if RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name)) {
            return Ok(None);
        }
        self.at += name.len();
        Ok(Some(name.to_owned()))
    }

    pub(crate) fn require_name(&mut self) -> Result<String, Malformed> {
        self.name()?.ok_or_else(|| self.expected("the name of a field"))
    }

    /// A text in single or double quotes, if one is next; a backslash takes what follows it as it is.
    pub(crate) fn quoted(&mut self) -> Result<Option<String>, Malformed> {
        self.skip_space();
        let Some(quote @ ('"' | '\'')) = self.peek() else { return Ok(None) };
        let mut text = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((index, c)) = chars.next() {
            match c {
                '\\' => match chars.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 't')) => text.push('\t'),
                    Some((_, escaped)) => text.push(escaped),
                    None => break,
                },
                c if c == quote => {
                    self.at += index + 1;
                    return Ok(Some(text));
                }
                c => text.push(c),
            }
        }
        Err(self.expected("a closing quote"))
    }

    /// What is between slashes, if that is next; a slash inside is written `\/`.
    pub(crate) fn slashed(&mut self) -> Result<Option<String>, Malformed> {
        // No comment can be here: `//` would be an empty expression.
        let rest = self.rest();
        let trimmed = rest.trim_start();
        if !trimmed.starts_with('/') {
            return Ok(None);
        }
        self.at += rest.len() - trimmed.len();
        let mut text = String::new();
        let mut chars = trimmed.char_indices().skip(1);
        while let Some((index, c)) = chars.next() {
            match c {
                '/' => {
                    self.at += index + 1;
                    return Ok(Some(text));
                }
                '\\' => match chars.next() {
                    Some((_, '/')) => text.push('/'),
                    Some((_, other)) => text.extend(['\\', other]),
                    None => break,
                },
                c => text.push(c),
            }
        }
        Err(self.expected("a closing '/'"))
    }

    /// A number without sign, and the letters that follow it at once.
    pub(crate) fn number(&mut self) -> Result<Option<(f64, &'a str)>, Malformed> {
        self.skip_space();
        let rest = self.rest();
        if !rest.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return Ok(None);
        }
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number = rest[..end].parse().map_err(|_| self.expected("a number"))?;
        let unit = &rest[end..];
        let unit = &unit[..unit.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(unit.len())];
        self.at += end + unit.len();
        Ok(Some((number, unit)))
    }

    /// The error that says what should have been here.
    pub(crate) fn expected(&self, wanted: &str) -> Malformed {
        let rest = self.rest();
        let found: String = rest.split_whitespace().next().unwrap_or_default().chars().take(40).collect();
        let place = if found.is_empty() { "the end".to_owned() } else { format!("'{found}'") };
        self.error_here(format!("expected {wanted}, found {place}"), found.len().max(1))
    }

    /// An error about what began at `start`.
    pub(crate) fn error_since(&self, start: usize, message: impl Into<String>) -> Malformed {
        let place = self.characters(start)..self.characters(self.at);
        Malformed { message: message.into(), place }
    }

    fn error_here(&self, message: String, length: usize) -> Malformed {
        let start = self.characters(self.at);
        Malformed { message, place: start..start + length }
    }

    fn characters(&self, bytes: usize) -> usize {
        self.text[..bytes].chars().count()
    }
}

fn is_inside_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '@' | '.' | ':' | '$')
}
