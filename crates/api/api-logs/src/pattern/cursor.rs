//! A place in a pattern's text.

use super::PatternError;
use super::condition::Text;
use regex::{Regex, RegexBuilder};

/// Most memory of a compiled regular expression.
const REGEX_BYTES: usize = 256 * 1024;

/// Walks through a text.
#[derive(Debug)]
pub struct Cursor<'a>(&'a str, usize);

/// Symbols and operators that AWS takes in regular expressions, beside letters, digits and spaces.
const REGEX_SYMBOLS: &str = ":_#=@/;,-^$?[]{}|\\*+. ";

impl<'a> Cursor<'a> {
    /// At the start of `text`.
    pub fn new(text: &'a str) -> Self {
        Self(text, 0)
    }

    /// Goes back to where this was left.
    pub fn return_to(&mut self, rest: &'a str) {
        self.0 = rest;
    }

    /// Regular expressions read so far.
    pub fn regexes(&self) -> usize {
        self.1
    }

    /// What is left.
    pub fn rest(&self) -> &'a str {
        self.0
    }

    /// The next character.
    pub fn peek(&self) -> Option<char> {
        self.0.chars().next()
    }

    /// Goes past white space.
    pub fn skip_space(&mut self) {
        self.0 = self.0.trim_start();
    }

    /// Goes past `text` if it is next.
    pub fn eat(&mut self, text: &str) -> bool {
        self.0.strip_prefix(text).inspect(|rest| self.0 = rest).is_some()
    }

    /// Goes past `word` in any case, if it is next and no longer word begins so.
    pub fn eat_word(&mut self, word: &str) -> bool {
        let Some((head, tail)) = self.0.split_at_checked(word.len()) else { return false };
        let ends = !tail.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        let eaten = ends && head.eq_ignore_ascii_case(word);
        if eaten {
            self.0 = tail;
        }
        eaten
    }

    /// Goes past `text`, which must be next.
    pub fn require(&mut self, text: &str) -> Result<(), PatternError> {
        if self.eat(text) { Ok(()) } else { Err(self.unexpected(&format!("'{text}'"))) }
    }

    /// Takes characters as long as `wanted` says.
    pub fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.0.find(|c| !wanted(c)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }

    /// Takes a text between quotes, in which a backslash frees a quote or another backslash.
    pub fn quoted(&mut self, quote: char) -> Result<String, PatternError> {
        let mut text = String::new();
        let mut characters = self.0.char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            if character == quote {
                self.0 = &self.0[at + character.len_utf8()..];
                return Ok(text);
            }
            if character != '\\' {
                text.push(character);
                continue;
            }
            match characters.next() {
                Some((_, freed)) if freed == quote || freed == '\\' => text.push(freed),
                Some((_, other)) => text.extend(['\\', other]),
                None => break,
            }
        }
        Err(PatternError::new("A quoted text does not end"))
    }

    /// Takes a regular expression between percent signs.
    pub fn regex(&mut self) -> Result<Regex, PatternError> {
        self.require("%")?;
        let (source, rest) =
            self.0.split_once('%').ok_or_else(|| PatternError::new("A regular expression does not end"))?;
        self.0 = rest;
        if !source.chars().all(|c| c.is_ascii_alphanumeric() || REGEX_SYMBOLS.contains(c)) {
            return Err(PatternError::new(format!("Invalid character(s) in term '{source}'")));
        }
        self.1 += 1;
        RegexBuilder::new(source)
            .size_limit(REGEX_BYTES)
            .build()
            .map_err(|_| PatternError::new(format!("Invalid regular expression '{source}'")))
    }

    /// Takes what a field is compared with: quoted, between percent signs, or a bare word up to `stop`.
    pub fn operand(&mut self, stop: impl Fn(char) -> bool) -> Result<Text, PatternError> {
        self.skip_space();
        match self.peek() {
            Some('"') => Ok(Text::glob(&self.quoted('"')?)),
            Some('%') => Ok(Text::Regex(self.regex()?)),
            _ => {
                let word = self.take_while(|c| !c.is_whitespace() && !stop(c));
                if word.is_empty() { Err(self.unexpected("a value")) } else { Ok(Text::bare(word)) }
            }
        }
    }

    /// The error that says what should have been here.
    pub fn unexpected(&self, wanted: &str) -> PatternError {
        let found = if self.0.is_empty() { "the end" } else { self.0 };
        PatternError::new(format!("Expected {wanted}, found {found}"))
    }
}
