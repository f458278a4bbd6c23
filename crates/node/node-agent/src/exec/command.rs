//! From a command line to words, as the published agent does it: with the quotes of a shell, and without a shell.

/// The words of a command line; `None` when a quote is not closed.
pub(super) fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next()? {
                        '\'' => break,
                        other => word.push(other),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next()? {
                        '"' => break,
                        '\\' => match characters.next()? {
                            '\n' => {}
                            escaped @ ('"' | '\\' | '$' | '`') => word.push(escaped),
                            other => word.extend(['\\', other]),
                        },
                        other => word.push(other),
                    }
                }
            }
            '\\' => match characters.next()? {
                '\n' => {}
                escaped => word.get_or_insert_default().push(escaped),
            },
            // A comment, but only where a word could begin.
            '#' if word.is_none() => {
                for skipped in characters.by_ref() {
                    if skipped == '\n' {
                        break;
                    }
                }
            }
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_those_of_a_shell() {
        let cases: [(&str, &[&str]); 9] = [
            ("ls -l  /tmp", &["ls", "-l", "/tmp"]),
            ("sh -c 'echo \"a b\"; exit 3'", &["sh", "-c", "echo \"a b\"; exit 3"]),
            (r#"echo "a \"b\" \n" c\ d"#, &["echo", r#"a "b" \n"#, "c d"]),
            ("echo '' \"\"", &["echo", "", ""]),
            ("a'b'\"c\"d", &["abcd"]),
            ("echo a#b # rest", &["echo", "a#b"]),
            ("  ", &[]),
            ("/bin/sh\n", &["/bin/sh"]),
            ("printf ä€😀", &["printf", "ä€😀"]),
        ];
        for (line, expected) in cases {
            assert_eq!(words(line).expect("words"), expected, "{line}");
        }
        for open in ["'a", "\"a", "a\\", "\"a\\"] {
            assert_eq!(words(open), None, "{open}");
        }
    }
}
