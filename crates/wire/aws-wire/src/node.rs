//! The value tree that every protocol's reader produces.

/// One value of a request, keyed by the member names of the API model.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// An explicit null; treated as absent.
    Null,
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction, or one too large for [`Node::Integer`].
    Float(f64),
    /// A string. Protocols without types (query, XML, headers) give every scalar as text.
    Text(String),
    /// Raw bytes, from protocols that have them; others send base64 text.
    Blob(Vec<u8>),
    /// A list.
    List(Vec<Node>),
    /// A structure or a map, in the order sent.
    Map(Vec<(String, Node)>),
}

impl Node {
    /// An empty structure.
    pub const fn empty() -> Self {
        Self::Map(Vec::new())
    }

    /// The member called `name`, when this is a structure that has a non-null one.
    pub fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Map(members) => members
                .iter()
                .rev()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value)
                .filter(|value| **value != Self::Null),
            _ => None,
        }
    }

    /// The text of the member called `name`.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.member(name) {
            Some(Self::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// This value, when it is text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The truth of the member called `name`, which protocols without types send as text.
    pub fn boolean(&self, name: &str) -> Option<bool> {
        match self.member(name)? {
            Self::Bool(value) => Some(*value),
            Self::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// The items of the list called `name`; none when there is no such list.
    pub fn items(&self, name: &str) -> &[Self] {
        match self.member(name) {
            Some(Self::List(items)) => items,
            _ => &[],
        }
    }

    /// The texts in the list called `name`.
    pub fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.items(name).iter().filter_map(Self::as_text)
    }

    /// The entries of the map called `name`; none when there is no such map.
    pub fn entries(&self, name: &str) -> &[(String, Self)] {
        match self.member(name) {
            Some(Self::Map(entries)) => entries,
            _ => &[],
        }
    }

    /// The pairs in a list of tags, whose members are called `key` and `value` in one spelling or another.
    pub fn tags<'a>(
        &'a self,
        name: &str,
        key: &'a str,
        value: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.items(name)
            .iter()
            .filter_map(move |tag| Some((tag.text(key)?, tag.text(value).unwrap_or_default())))
    }
}
