//! Texts with wildcards: `*` for any number of characters, `?` for exactly one.

/// A compiled text with wildcards. Matching takes at most (length of the pattern) × (length of the text) steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    tokens: Box<[Token]>,
    fold_case: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Literal(u8),
    One,
    Many,
}

impl Pattern {
    /// A pattern that minds case: paths.
    pub fn exact(text: &str) -> Self {
        Self { tokens: compile(text.as_bytes(), false, false), fold_case: false }
    }

    /// A pattern that minds no case: host names.
    pub fn folded(text: &str) -> Self {
        Self { tokens: compile(text.as_bytes(), true, false), fold_case: true }
    }

    /// A pattern that minds no case, in which a backslash before a wildcard makes it a plain character: values of headers and
    /// of queries.
    pub fn folded_with_escapes(text: &str) -> Self {
        Self { tokens: compile(text.as_bytes(), true, true), fold_case: true }
    }

    /// Whether all of `text` fits.
    pub fn matches(&self, text: &[u8]) -> bool {
        let tokens = &self.tokens;
        let (mut at, mut position) = (0, 0);
        // Where the last `*` was, and how much of the text it has taken so far.
        let mut star: Option<(usize, usize)> = None;
        while position < text.len() {
            match tokens.get(at) {
                Some(Token::Many) => {
                    star = Some((at, position));
                    at += 1;
                }
                Some(token) if self.fits(*token, text[position]) => {
                    at += 1;
                    position += 1;
                }
                _ => {
                    let Some((star_at, taken)) = star else { return false };
                    star = Some((star_at, taken + 1));
                    at = star_at + 1;
                    position = taken + 1;
                }
            }
        }
        tokens[at..].iter().all(|token| *token == Token::Many)
    }

    fn fits(&self, token: Token, byte: u8) -> bool {
        match token {
            Token::Literal(wanted) if self.fold_case => wanted == byte.to_ascii_lowercase(),
            Token::Literal(wanted) => wanted == byte,
            Token::One => true,
            Token::Many => false,
        }
    }
}

fn compile(text: &[u8], fold: bool, escapes: bool) -> Box<[Token]> {
    let mut tokens = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        let token = match byte {
            b'*' => Token::Many,
            b'?' => Token::One,
            b'\\' if escapes => match bytes.peek() {
                Some(b'*' | b'?' | b'\\') => Token::Literal(bytes.next().unwrap_or(b'\\')),
                _ => Token::Literal(b'\\'),
            },
            other if fold => Token::Literal(other.to_ascii_lowercase()),
            other => Token::Literal(other),
        };
        if !(token == Token::Many && tokens.last() == Some(&Token::Many)) {
            tokens.push(token);
        }
    }
    tokens.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_and_case() {
        let table: &[(&str, &str, bool)] = &[
            ("/img/*", "/img/", true),
            ("/img/*", "/img/a/b.png", true),
            ("/img/*", "/img", false),
            ("/img/*", "/IMG/a", false),
            ("/img/*/pics", "/img/x/y/pics", true),
            ("/img/*/pics", "/img/pics", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("?", "", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*.gif", "/a.gif.gif", true),
            ("*a*b*c*", "xaybzc", true),
            ("*a*b*c*", "xaybz", false),
            ("a**b", "ab", true),
            ("a\\*b", "a\\xb", true),
        ];
        for (pattern, text, fits) in table {
            assert_eq!(Pattern::exact(pattern).matches(text.as_bytes()), *fits, "{pattern} on {text}");
        }
        assert!(Pattern::folded("*.Example.com").matches(b"WWW.exAmple.COM"));
        assert!(!Pattern::folded("*.example.com").matches(b"example.com"));
        assert!(Pattern::folded_with_escapes(r"v\*1").matches(b"V*1"));
        assert!(!Pattern::folded_with_escapes(r"v\*1").matches(b"vx1"));
        assert!(Pattern::folded_with_escapes(r"a\b").matches(br"a\B"));
    }

    #[test]
    fn many_stars_end_soon() {
        let text = "a".repeat(2000);
        assert!(!Pattern::exact(&"*a".repeat(60)).matches(format!("{text}b").as_bytes()));
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_the_plain_definition(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
            fn plain(pattern: &[u8], text: &[u8]) -> bool {
                match (pattern.split_first(), text.split_first()) {
                    (None, None) => true,
                    (Some((b'*', rest)), _) =>
                        plain(rest, text) || (!text.is_empty() && plain(pattern, &text[1..])),
                    (Some((b'?', rest)), Some((_, after))) => plain(rest, after),
                    (Some((wanted, rest)), Some((byte, after))) => wanted == byte && plain(rest, after),
                    _ => false,
                }
            }
            proptest::prop_assert_eq!(
                Pattern::exact(&pattern).matches(text.as_bytes()),
                plain(pattern.as_bytes(), text.as_bytes())
            );
        }
    }
}
