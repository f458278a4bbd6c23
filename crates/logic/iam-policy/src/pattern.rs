//! Matching of texts against patterns, in a time that no pattern can make explode.
//!
//! A pattern is cut at its stars. The first piece must begin the text, the last must end it, and each between is
//! looked for behind the one before; the leftmost place is always right, so nothing is tried twice. Pieces without `?`
//! are found in linear time; with `?` it takes at most the square of the length of the text.

use crate::Context;
use crate::template::{Special, Token, Variable, tokenize, variables};

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(crate) enum Pattern {
    /// `*`
    Any,
    /// What no text can match.
    Nothing,
    /// A text without wildcards.
    Exact(Box<str>),
    /// A text with one star, at its end.
    Prefix(Box<str>),
    /// Pieces between stars.
    Glob(Box<[Piece]>),
    /// With variables, which are known only with the request.
    Dynamic(Box<Dynamic>),
}

/// What stands between two stars; it always matches the same number of characters.
pub(crate) type Piece = Vec<Part>;

/// Characters, or one that may be any.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    Text(String),
    One,
}

/// A pattern with variables.
#[derive(Clone, Debug)]
pub(crate) struct Dynamic {
    /// What every match begins with, to tell most mismatches cheaply.
    prefix: Box<str>,
    tokens: Box<[Token]>,
}

impl Pattern {
    /// Compiles a text.
    pub(crate) fn compile(text: &str, special: Special) -> Self {
        Self::from_tokens(tokenize(text, special))
    }

    /// Compiles tokens.
    pub(crate) fn from_tokens(tokens: Vec<Token>) -> Self {
        if tokens.iter().any(|token| matches!(token, Token::Variable(_))) {
            let prefix = match tokens.first() {
                Some(Token::Text(text)) => text.as_str().into(),
                _ => "".into(),
            };
            return Self::Dynamic(Box::new(Dynamic { prefix, tokens: tokens.into() }));
        }
        match &tokens[..] {
            [] => Self::Exact("".into()),
            [Token::Star] => Self::Any,
            [Token::Text(text)] => Self::Exact(text.as_str().into()),
            [Token::Text(text), Token::Star] => Self::Prefix(text.as_str().into()),
            _ => Self::Glob(pieces(&tokens, None, usize::MAX).unwrap_or_default().into()),
        }
    }

    /// Does the whole text match? A variable that the request does not give matches nothing.
    pub(crate) fn matches(&self, text: &str, context: &Context) -> bool {
        match self {
            Self::Any => true,
            Self::Nothing => false,
            Self::Exact(exact) => **exact == *text,
            Self::Prefix(prefix) => text.starts_with(&**prefix),
            Self::Glob(pieces) => match_pieces(pieces, text),
            Self::Dynamic(dynamic) => {
                text.starts_with(&*dynamic.prefix)
                    && pieces(&dynamic.tokens, Some(context), text.len())
                        .is_some_and(|pieces| match_pieces(&pieces, text))
            }
        }
    }

    /// Its variables.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &Variable> {
        let tokens: &[Token] = match self {
            Self::Dynamic(dynamic) => &dynamic.tokens,
            _ => &[],
        };
        variables(tokens)
    }
}

/// Cuts tokens at the stars and puts in the values of variables, in which no character is special. None when a
/// variable has no value, or when the characters alone are longer than `limit`, the text that is to match.
fn pieces(tokens: &[Token], context: Option<&Context>, limit: usize) -> Option<Vec<Piece>> {
    let mut pieces = vec![Piece::new()];
    let mut left = limit;
    for token in tokens {
        let text = match token {
            Token::Star => {
                pieces.push(Piece::new());
                continue;
            }
            Token::One => None,
            Token::Text(text) => Some(text.as_str()),
            Token::Variable(variable) => Some(variable.resolve(context?)?),
        };
        left = left.checked_sub(text.map_or(1, str::len))?;
        let piece = pieces.last_mut()?;
        match (text, piece.last_mut()) {
            (None, _) => piece.push(Part::One),
            (Some(text), Some(Part::Text(before))) => before.push_str(text),
            (Some(text), _) => piece.push(Part::Text(text.to_owned())),
        }
    }
    Some(pieces)
}

fn match_pieces(pieces: &[Piece], text: &str) -> bool {
    let Some((first, others)) = pieces.split_first() else { return text.is_empty() };
    let Some(mut rest) = strip_piece(first, text) else { return false };
    let Some((last, middle)) = others.split_last() else { return rest.is_empty() };
    for piece in middle {
        let Some(after) = find_piece(piece, rest) else { return false };
        rest = after;
    }
    ends_with_piece(last, rest)
}

/// What follows a piece that a text begins with.
fn strip_piece<'a>(piece: &Piece, text: &'a str) -> Option<&'a str> {
    let mut rest = text;
    for part in piece {
        rest = match part {
            Part::Text(text) => rest.strip_prefix(text.as_str())?,
            Part::One => {
                let mut characters = rest.chars();
                characters.next()?;
                characters.as_str()
            }
        };
    }
    Some(rest)
}

/// What follows the first place at which a piece is found.
fn find_piece<'a>(piece: &Piece, text: &'a str) -> Option<&'a str> {
    match &piece[..] {
        [] => Some(text),
        [Part::Text(wanted)] => text.find(wanted.as_str()).map(|at| &text[at + wanted.len()..]),
        _ => {
            let starts = text.char_indices().map(|(at, _)| at);
            starts.into_iter().find_map(|at| strip_piece(piece, &text[at..]))
        }
    }
}

fn ends_with_piece(piece: &Piece, text: &str) -> bool {
    if let [Part::Text(wanted)] = &piece[..] {
        return text.ends_with(wanted.as_str());
    }
    let length = piece.iter().map(|part| match part {
        Part::Text(text) => text.chars().count(),
        Part::One => 1,
    });
    match length.sum::<usize>().checked_sub(1) {
        None => true,
        Some(before_last) => {
            let start = text.char_indices().rev().nth(before_last).map(|(at, _)| at);
            start.is_some_and(|at| strip_piece(piece, &text[at..]).is_some())
        }
    }
}

#[cfg(test)]
mod tests;
