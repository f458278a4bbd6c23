//! Checks a request against the model's constraints, with the texts AWS answers.

use crate::schema::{Kind, Limits, Shape};
use crate::{DecodeError, Node};
use parking_lot::RwLock;
use regex::Regex;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

/// Violations listed in one error; more are counted but not shown.
const MOST_SHOWN: usize = 10;
/// Characters of a refused value that are repeated in the error.
const MOST_REPEATED: usize = 256;

/// Why a request is refused before its operation runs.
#[derive(Debug, thiserror::Error)]
pub enum Violation {
    /// A value has another type than the model says: `SerializationException`.
    #[error("{path}: {source}")]
    Type {
        /// The member.
        path: String,
        /// What is wrong.
        source: DecodeError,
    },
    /// Constraints are broken: the service's own validation error.
    #[error(transparent)]
    Constraints(BrokenConstraints),
}

/// The constraints that a request breaks; displays as most services word it.
#[derive(Debug, thiserror::Error)]
#[error("{count} validation error{} detected: {}", if *count == 1 { "" } else { "s" }, texts(broken))]
pub struct BrokenConstraints {
    count: usize,
    broken: Vec<BrokenConstraint>,
}

/// One of them.
#[derive(Debug)]
struct BrokenConstraint {
    path: String,
    /// The value as it is repeated, with the space before it.
    shown: String,
    constraint: String,
}

impl BrokenConstraints {
    /// As services word it that tell of one parameter only.
    pub fn of_one_parameter(&self) -> String {
        // There is at least one, or there would be no error.
        let Some(first) = self.broken.first() else { return self.to_string() };
        let constraint =
            match first.constraint.strip_prefix("Member must satisfy regular expression pattern: ") {
                Some(pattern) => format!("must satisfy regular expression '{pattern}'"),
                None => first.constraint.clone(),
            };
        format!("Invalid parameter at '{}' failed to satisfy constraint: '{constraint}'", first.path)
    }
}

fn texts(broken: &[BrokenConstraint]) -> String {
    let texts = broken.iter().map(|BrokenConstraint { path, shown, constraint }| {
        format!("Value{shown} at '{path}' failed to satisfy constraint: {constraint}")
    });
    texts.collect::<Vec<_>>().join("; ")
}

/// Checks `node` against `shape`; members the model does not know are ignored.
pub fn validate(shape: &'static Shape, node: &Node) -> Result<(), Violation> {
    let mut check = Check { path: Vec::new(), found: Vec::new(), count: 0, hidden: 0 };
    check.value(shape, node)?;
    if check.count == 0 {
        return Ok(());
    }
    Err(Violation::Constraints(BrokenConstraints { count: check.count, broken: check.found }))
}

struct Check {
    path: Vec<Cow<'static, str>>,
    found: Vec<BrokenConstraint>,
    count: usize,
    /// How many members around the current value are sensitive: such values are not repeated to anybody.
    hidden: usize,
}

impl Check {
    fn value(&mut self, shape: &'static Shape, node: &Node) -> Result<(), Violation> {
        match &shape.kind {
            Kind::Structure { union, .. } => self.structure(shape, *union, node),
            Kind::List { item, length, .. } => self.list(item, *length, node),
            Kind::Map { key, value, length, .. } => self.map(key, value, *length, node),
            Kind::Text { length, pattern, values } => {
                let text = self.expect_text(node)?;
                self.text(text, *length, *pattern, values);
                Ok(())
            }
            Kind::Integer { range } => {
                let value: i32 = self.read(node)?;
                self.range(f64::from(value), &value.to_string(), *range);
                Ok(())
            }
            Kind::Long { range } => {
                let value: i64 = self.read(node)?;
                self.range(value as f64, &value.to_string(), *range);
                Ok(())
            }
            Kind::Double { range } => {
                let value: f64 = self.read(node)?;
                self.range(value, &value.to_string(), *range);
                Ok(())
            }
            Kind::Boolean => self.read::<bool>(node).map(|_| ()),
            Kind::Timestamp { .. } => self.read::<environment::Timestamp>(node).map(|_| ()),
            Kind::Blob { length } => {
                let bytes: Vec<u8> = self.read(node)?;
                self.length("java.nio.HeapByteBuffer", bytes.len(), *length);
                Ok(())
            }
        }
    }

    fn structure(&mut self, shape: &'static Shape, union: bool, node: &Node) -> Result<(), Violation> {
        let Node::Map(members) = node else { return Err(self.wrong_type("a structure", node)) };
        for member in shape.members() {
            let value = members.iter().rev().find(|(key, _)| key == member.name).map(|(_, value)| value);
            self.path.push(Cow::Borrowed(member.name));
            self.hidden += usize::from(member.sensitive);
            match value {
                Some(Node::Null) | None if member.required => {
                    self.violation("null", "Member must not be null");
                }
                Some(Node::Null) | None => {}
                Some(value) => self.value(member.shape, value)?,
            }
            self.hidden -= usize::from(member.sensitive);
            self.path.pop();
        }
        let known = |name: &str| shape.members().iter().any(|member| member.name == name);
        let given = members.iter().filter(|(key, value)| *value != Node::Null && known(key)).count();
        if union && given != 1 {
            self.violation("null", "Exactly one member must be set");
        }
        Ok(())
    }

    fn list(&mut self, item: &'static Shape, length: Limits, node: &Node) -> Result<(), Violation> {
        let Node::List(items) = node else { return Err(self.wrong_type("a list", node)) };
        let items = || items.iter().enumerate().filter(|(_, value)| **value != Node::Null);
        if let Kind::Text { length: each, pattern, values } = &item.kind {
            let mut texts = Vec::new();
            for (_, value) in items() {
                texts.push(self.expect_text(value)?);
            }
            let unfit = texts.iter().any(|text| !fits(text, *each, *pattern, values));
            if unfit || !length.contains(texts.len() as i64) {
                let shown = format!("[{}]", texts.join(", "));
                self.length(&shown, texts.len(), length);
                if unfit {
                    self.violation(&shown, &constraints_of_items(*each, *pattern, values));
                }
            }
            return Ok(());
        }
        self.length("[]", items().count(), length);
        for (number, value) in items() {
            self.path.push(Cow::Owned(format!("{}.member", number + 1)));
            self.value(item, value)?;
            self.path.pop();
        }
        Ok(())
    }

    fn map(
        &mut self,
        key: &'static Shape,
        value: &'static Shape,
        length: Limits,
        node: &Node,
    ) -> Result<(), Violation> {
        let Node::Map(entries) = node else { return Err(self.wrong_type("a map", node)) };
        self.length("{}", entries.len(), length);
        for (name, entry) in entries.iter().filter(|(_, entry)| *entry != Node::Null) {
            self.path.push(Cow::Owned(name.clone()));
            if let Kind::Text { length, pattern, values } = &key.kind {
                self.text(name, *length, *pattern, values);
            }
            self.value(value, entry)?;
            self.path.pop();
        }
        Ok(())
    }

    fn text(&mut self, text: &str, length: Limits, pattern: Option<&'static str>, values: &[&str]) {
        if !values.is_empty() && !values.contains(&text) {
            let set = format!("Member must satisfy enum value set: [{}]", values.join(", "));
            self.violation(text, &set);
            return;
        }
        if length != Limits::NONE {
            self.length(text, text.chars().count(), length);
        }
        if let Some(pattern) = pattern
            && !matches(pattern, text)
        {
            self.violation(text, &format!("Member must satisfy regular expression pattern: {pattern}"));
        }
    }

    fn length(&mut self, shown: &str, length: usize, limits: Limits) {
        let length = length as i64;
        if let Some(min) = limits.min.filter(|min| length < *min) {
            self.violation(shown, &format!("Member must have length greater than or equal to {min}"));
        }
        if let Some(max) = limits.max.filter(|max| length > *max) {
            self.violation(shown, &format!("Member must have length less than or equal to {max}"));
        }
    }

    fn range(&mut self, value: f64, shown: &str, limits: Limits) {
        if let Some(min) = limits.min.filter(|min| value < *min as f64) {
            self.violation(shown, &format!("Member must have value greater than or equal to {min}"));
        }
        if let Some(max) = limits.max.filter(|max| value > *max as f64) {
            self.violation(shown, &format!("Member must have value less than or equal to {max}"));
        }
    }

    fn violation(&mut self, value: &str, constraint: &str) {
        self.count += 1;
        if self.found.len() == MOST_SHOWN {
            return;
        }
        let shown = match value {
            _ if self.hidden > 0 => String::new(),
            "null" => " null".to_owned(),
            value => format!(" '{}'", value.chars().take(MOST_REPEATED).collect::<String>()),
        };
        let path = shown_path(&self.path);
        self.found.push(BrokenConstraint { path, shown, constraint: constraint.to_owned() });
    }

    fn expect_text<'n>(&self, node: &'n Node) -> Result<&'n str, Violation> {
        match node {
            Node::Text(text) => Ok(text),
            other => Err(self.wrong_type("a string", other)),
        }
    }

    fn read<T: crate::FromNode>(&self, node: &Node) -> Result<T, Violation> {
        T::from_node(node.clone()).map_err(|source| match source {
            DecodeError::Unreadable { expected, .. } if self.hidden > 0 => Violation::Type {
                path: self.path.join("."),
                source: DecodeError::Unreadable { expected, text: String::new() },
            },
            source => Violation::Type { path: self.path.join("."), source },
        })
    }

    fn wrong_type(&self, expected: &'static str, node: &Node) -> Violation {
        let source = DecodeError::WrongType { expected, found: node.type_name() };
        Violation::Type { path: self.path.join("."), source }
    }
}

/// Whether a text keeps all its constraints.
fn fits(text: &str, length: Limits, pattern: Option<&'static str>, values: &[&str]) -> bool {
    if !values.is_empty() {
        return values.contains(&text);
    }
    (length == Limits::NONE || length.contains(text.chars().count() as i64))
        && pattern.is_none_or(|pattern| matches(pattern, text))
}

/// What AWS says of a list in which an item breaks a constraint: all constraints of its items.
fn constraints_of_items(length: Limits, pattern: Option<&'static str>, values: &[&str]) -> String {
    let mut constraints = Vec::new();
    if !values.is_empty() {
        constraints.push(format!("Member must satisfy enum value set: [{}]", values.join(", ")));
    }
    constraints.extend(length.max.map(|max| format!("Member must have length less than or equal to {max}")));
    constraints
        .extend(length.min.map(|min| format!("Member must have length greater than or equal to {min}")));
    constraints
        .extend(pattern.map(|pattern| format!("Member must satisfy regular expression pattern: {pattern}")));
    format!("Member must satisfy constraint: [{}]", constraints.join(", "))
}

/// Errors write the names of members with a small first letter, however the model spells them; keys of maps stay.
fn shown_path(path: &[Cow<'static, str>]) -> String {
    let mut shown = String::new();
    for part in path {
        if !shown.is_empty() {
            shown.push('.');
        }
        let start = shown.len();
        shown.push_str(part);
        if matches!(part, Cow::Borrowed(_)) && shown.is_char_boundary(start + 1) {
            shown[start..=start].make_ascii_lowercase();
        }
    }
    shown
}

/// Patterns of the model, compiled once. `None` where the pattern uses what this engine lacks (look-around).
static PATTERNS: LazyLock<RwLock<HashMap<&'static str, Option<Regex>>>> = LazyLock::new(RwLock::default);

fn matches(pattern: &'static str, text: &str) -> bool {
    if let Some(known) = PATTERNS.read().get(pattern) {
        return known.as_ref().is_none_or(|regex| regex.is_match(text));
    }
    let compiled = compile(pattern);
    let matched = compiled.as_ref().is_none_or(|regex| regex.is_match(text));
    PATTERNS.write().insert(pattern, compiled);
    matched
}

/// The model's patterns are those of Java, and the whole text must match.
fn compile(pattern: &str) -> Option<Regex> {
    Regex::new(&format!("^(?:{pattern})$")).ok()
}

/// Whether texts are checked against a pattern of the model. A pattern that uses what this engine lacks is not.
pub fn pattern_is_checked(pattern: &str) -> bool {
    compile(pattern).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Location, Member};

    static NAME: Shape = Shape {
        name: "Name",
        kind: Kind::Text {
            length: Limits { min: Some(1), max: Some(3) },
            pattern: Some("[a-z]+"),
            values: &[],
        },
    };
    static KIND: Shape =
        Shape { name: "Kind", kind: Kind::Text { length: Limits::NONE, pattern: None, values: &["A", "B"] } };
    static COUNT: Shape =
        Shape { name: "Count", kind: Kind::Integer { range: Limits { min: Some(1), max: Some(10) } } };
    static NAMES: Shape = Shape {
        name: "Names",
        kind: Kind::List {
            item: &NAME,
            item_name: None,
            flattened: false,
            length: Limits { min: None, max: Some(2) },
        },
    };
    const fn member(name: &'static str, shape: &'static Shape, required: bool) -> Member {
        Member {
            name,
            location_name: None,
            query_name: None,
            location: Location::Body,
            required,
            flattened: false,
            idempotency_token: false,
            sensitive: false,
            shape,
        }
    }
    static MEMBERS: [Member; 4] = [
        member("count", &COUNT, false),
        member("kind", &KIND, false),
        member("name", &NAME, true),
        member("names", &NAMES, false),
    ];
    static INPUT: Shape = Shape { name: "I", kind: Kind::Structure { members: &MEMBERS, union: false } };

    fn check(json: &str) -> Result<(), String> {
        let node: Node = serde_json::from_str(json).expect("JSON");
        validate(&INPUT, &node).map_err(|violation| violation.to_string())
    }

    #[test]
    fn texts_are_those_of_aws() {
        assert_eq!(check(r#"{"name":"abc","unknown":[1]}"#), Ok(()));
        let cases = [
            ("{}", "Value null at 'name' failed to satisfy constraint: Member must not be null"),
            (
                r#"{"name":"abcd"}"#,
                "Value 'abcd' at 'name' failed to satisfy constraint: Member must have length less than or equal to 3",
            ),
            (
                r#"{"name":"A"}"#,
                "Value 'A' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-z]+",
            ),
            (
                r#"{"name":"a","count":11}"#,
                "Value '11' at 'count' failed to satisfy constraint: Member must have value less than or equal to 10",
            ),
            (
                r#"{"name":"a","kind":"C"}"#,
                "Value 'C' at 'kind' failed to satisfy constraint: Member must satisfy enum value set: [A, B]",
            ),
            (
                r#"{"name":"a","names":["b","X"]}"#,
                "Value '[b, X]' at 'names' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 3, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [a-z]+]",
            ),
            (
                r#"{"name":"a","names":["b","c","d"]}"#,
                "Value '[b, c, d]' at 'names' failed to satisfy constraint: Member must have length less than or equal to 2",
            ),
        ];
        for (json, text) in cases {
            assert_eq!(check(json), Err(format!("1 validation error detected: {text}")), "{json}");
        }
        assert!(
            check(r#"{"count":0,"kind":"C"}"#)
                .expect_err("refused")
                .starts_with("3 validation errors detected: ")
        );
    }

    #[test]
    fn some_services_tell_of_one_parameter() {
        let text = |json: &str| {
            let node: Node = serde_json::from_str(json).expect("JSON");
            match validate(&INPUT, &node).expect_err("refused") {
                Violation::Constraints(broken) => broken.of_one_parameter(),
                Violation::Type { .. } => panic!("the types are right"),
            }
        };
        let kind = text(r#"{"name":"A","kind":"C"}"#);
        let set = "'Member must satisfy enum value set: [A, B]'";
        assert_eq!(kind, format!("Invalid parameter at 'kind' failed to satisfy constraint: {set}"));
        let pattern = "'must satisfy regular expression '[a-z]+''";
        let name = text(r#"{"name":"A"}"#);
        assert_eq!(name, format!("Invalid parameter at 'name' failed to satisfy constraint: {pattern}"));
    }

    #[test]
    fn sensitive_values_are_not_repeated() {
        static MEMBERS: [Member; 1] = [Member { sensitive: true, ..member("secret", &NAME, true) }];
        static INPUT: Shape = Shape { name: "S", kind: Kind::Structure { members: &MEMBERS, union: false } };
        let node: Node = serde_json::from_str(r#"{"secret":"hunter"}"#).expect("JSON");
        let text = validate(&INPUT, &node).expect_err("refused").to_string();
        assert_eq!(
            text,
            "1 validation error detected: Value at 'secret' failed to satisfy constraint: Member must have length \
             less than or equal to 3"
        );
    }

    #[test]
    fn sensitive_bytes_are_not_repeated() {
        static BYTES: Shape = Shape { name: "B", kind: Kind::Blob { length: Limits::NONE } };
        static BLOB: [Member; 1] = [Member { sensitive: true, ..member("SecretBinary", &BYTES, true) }];
        static BINARY: Shape = Shape { name: "S", kind: Kind::Structure { members: &BLOB, union: false } };
        let node: Node = serde_json::from_str(r#"{"SecretBinary":"hunter2!"}"#).expect("JSON");
        let text = validate(&BINARY, &node).expect_err("refused").to_string();
        assert!(!text.contains("hunter"), "{text}");
    }

    #[test]
    fn members_are_named_with_a_small_letter() {
        static MEMBERS: [Member; 1] = [member("MaxResults", &COUNT, true)];
        static INPUT: Shape = Shape { name: "S", kind: Kind::Structure { members: &MEMBERS, union: false } };
        let node: Node = serde_json::from_str(r#"{"MaxResults":11}"#).expect("JSON");
        let text = validate(&INPUT, &node).expect_err("refused").to_string();
        assert_eq!(
            text,
            "1 validation error detected: Value '11' at 'maxResults' failed to satisfy constraint: Member must have \
             value less than or equal to 10"
        );
    }

    #[test]
    fn a_union_has_one_member() {
        static MEMBERS: [Member; 2] = [member("a", &NAME, false), member("b", &NAME, false)];
        static UNION: Shape = Shape { name: "U", kind: Kind::Structure { members: &MEMBERS, union: true } };
        for (json, good) in [
            (r#"{"a":"x"}"#, true),
            (r#"{"a":"x","b":null,"unknown":1,"__type":"U"}"#, true),
            ("{}", false),
            (r#"{"a":"x","b":"y"}"#, false),
        ] {
            let node: Node = serde_json::from_str(json).expect("JSON");
            assert_eq!(validate(&UNION, &node).is_ok(), good, "{json}");
        }
    }

    #[test]
    fn types_come_before_constraints() {
        for json in [r#"{"name":5}"#, r#"{"name":"a","count":"x"}"#, r#"{"name":"a","names":{}}"#] {
            let node: Node = serde_json::from_str(json).expect("JSON");
            assert!(matches!(validate(&INPUT, &node), Err(Violation::Type { .. })), "{json}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_value_is_a_panic(json in "[{][\"a-z:,0-9\\[\\]{}]{0,60}[}]", name in "\\PC{0,300}") {
            if let Ok(node) = serde_json::from_str::<Node>(&json) {
                let _ = validate(&INPUT, &node);
            }
            let named = Node::Map(vec![("name".to_owned(), Node::Text(name))]);
            let _ = validate(&INPUT, &named);
        }
    }
}
