//! Where the statements of a document stand, which the policy simulator tells.

use serde::Deserialize;
use serde_json::value::RawValue;

/// A place in a text, both counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character in the line.
    pub column: usize,
}

/// From the first character of a statement to behind its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The opening brace.
    pub start: Position,
    /// Behind the closing brace.
    pub end: Position,
}

#[derive(Deserialize)]
struct Outline<'a> {
    #[serde(borrow, rename = "Statement")]
    statement: &'a RawValue,
}

/// The places of the statements of a document that [`Policy::parse`](crate::Policy::parse) takes, in order; nothing
/// for any other text.
pub fn statement_spans(text: &str) -> Vec<Span> {
    let Ok(outline) = serde_json::from_str::<Outline<'_>>(text) else { return Vec::new() };
    let statements = match serde_json::from_str::<Vec<&RawValue>>(outline.statement.get()) {
        Ok(list) => list,
        Err(_) => vec![outline.statement],
    };
    let mut walk = Walk { text, offset: 0, position: Position { line: 1, column: 1 } };
    let spans = statements.into_iter().map(|statement| {
        // Raw values borrow from the text, so the distance of their addresses is their place in it.
        let start = statement.get().as_ptr().addr() - text.as_ptr().addr();
        Span { start: walk.to(start), end: walk.to(start + statement.get().len()) }
    });
    spans.collect()
}

/// Goes through a text once, forwards.
struct Walk<'a> {
    text: &'a str,
    offset: usize,
    position: Position,
}

impl Walk<'_> {
    fn to(&mut self, offset: usize) -> Position {
        for character in self.text.get(self.offset..offset).unwrap_or("").chars() {
            if character == '\n' {
                self.position = Position { line: self.position.line + 1, column: 1 };
            } else {
                self.position.column += 1;
            }
        }
        self.offset = offset;
        self.position
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let show = |span: Span| {
            format!("{}:{}-{}:{}", span.start.line, span.start.column, span.end.line, span.end.column)
        };
        statement_spans(text).into_iter().map(show).collect()
    }

    #[test]
    fn statements_have_places() {
        assert_eq!(shown("{\"Statement\": {\"ü\": 1}}"), ["1:15-1:23"]);
        assert_eq!(
            shown("{\n  \"Id\": \"x\",\n  \"Statement\": [\n    {},\n    {\n}]}"),
            ["4:5-4:7", "5:5-6:2"]
        );
        assert!(shown("no JSON").is_empty());
        assert!(shown("{}").is_empty());
    }
}
