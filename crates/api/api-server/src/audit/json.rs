//! JSON text, as little of it as records need.

use super::rules::MOST_BYTES;
use std::fmt::Write;

/// JSON that grows until it is too long.
pub(super) struct Json {
    out: String,
    /// Nothing was written yet in the innermost object or list.
    fresh: bool,
}

impl Json {
    pub(super) fn new() -> Self {
        Self { out: String::new(), fresh: true }
    }

    /// No more is kept.
    pub(super) fn is_full(&self) -> bool {
        self.out.len() > MOST_BYTES
    }

    pub(super) fn open(&mut self, bracket: char) {
        self.out.push(bracket);
        self.fresh = true;
    }

    pub(super) fn close(&mut self, bracket: char) {
        self.out.push(bracket);
        self.fresh = false;
    }

    /// Comes before every item.
    pub(super) fn separate(&mut self) {
        if !self.fresh {
            self.out.push(',');
        }
        self.fresh = false;
    }

    /// A member's name, which CloudTrail writes with a small first letter.
    pub(super) fn member(&mut self, name: &str) {
        self.separate();
        self.out.push('"');
        let all_capitals = name.bytes().all(|byte| byte.is_ascii_uppercase());
        let end = if all_capitals { name.len() } else { name.len().min(1) };
        let (first, rest) = name.split_at_checked(end).unwrap_or((name, ""));
        self.out.extend(first.chars().map(|character| character.to_ascii_lowercase()));
        self.out.push_str(rest);
        self.out.push_str("\":");
    }

    /// A key of a map.
    pub(super) fn key(&mut self, key: &str) {
        self.separate();
        self.text(key);
        self.out.push(':');
    }

    pub(super) fn text(&mut self, text: &str) {
        self.out.push('"');
        for character in text.chars() {
            match character {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                control if control < ' ' => self.display(format_args!("\\u{:04x}", u32::from(control))),
                other => self.out.push(other),
            }
            if self.is_full() {
                break;
            }
        }
        self.out.push('"');
    }

    /// A number, `true`, `false` or `null`.
    pub(super) fn display(&mut self, value: impl std::fmt::Display) {
        // Writing into a string cannot fail.
        let _ = write!(self.out, "{value}");
    }

    /// A number that may be none.
    pub(super) fn float(&mut self, value: f64) {
        if value.is_finite() {
            self.display(value);
        } else {
            self.text(&value.to_string());
        }
    }

    /// The whole; `None` when there is nothing in it.
    pub(super) fn finish(self, what: &str) -> Option<String> {
        if self.is_full() {
            return Some(format!("{{\"omitted\":true,\"reason\":\"{what} too large\"}}"));
        }
        (!self.out.is_empty() && self.out != "{}").then_some(self.out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts() {
        let mut json = Json::new();
        json.open('{');
        for name in ["clusterName", "RoleArn", "ARN", "", "É"] {
            json.member(name);
            json.text("a\"\\\n\u{1}é");
        }
        json.close('}');
        let text = json.finish("x").expect("has something");
        assert_eq!(text.matches(r#""a\"\\\n\u0001é""#).count(), 5);
        assert!(text.starts_with(r#"{"clusterName":"#) && text.contains(r#","roleArn":"#));
        assert!(text.contains(r#","arn":"#));
    }

    #[test]
    fn what_is_too_large_is_left_out_and_nothing_is_nothing() {
        let mut json = Json::new();
        json.open('{');
        json.member("a");
        json.text(&"x".repeat(MOST_BYTES * 2));
        assert!(json.out.len() < MOST_BYTES + 100);
        json.close('}');
        let text = json.finish("requestParameters").expect("says so");
        assert_eq!(text, r#"{"omitted":true,"reason":"requestParameters too large"}"#);
        let mut json = Json::new();
        json.open('{');
        json.close('}');
        assert_eq!(json.finish("x"), None);
    }
}
