//! Patterns with `*`, as filters of tags and repositories have them.

/// Whether a text is covered by a pattern in which `*` stands for any number of characters.
pub fn matches_wildcard(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    // A split always has a first part.
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text) in [
            ("*", ""),
            ("*", "any"),
            ("prod*", "prod"),
            ("prod*", "prod-1"),
            ("*-rc", "1.0-rc"),
            ("a*b*c", "abc"),
            ("a*b*c", "a-b-b-c"),
            ("v*.*", "v1.2"),
            ("same", "same"),
            ("", ""),
        ] {
            assert!(matches_wildcard(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("prod", "prod-1"), ("prod*", "pro"), ("a*a", "a"), ("a*b*c", "acb"), ("*x", "xy"), ("", "a")]
        {
            assert!(!matches_wildcard(pattern, text), "{pattern} {text}");
        }
    }
}
