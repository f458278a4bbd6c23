//! The request context: what conditions and policy variables are answered from.

/// Condition keys and their values. Names of keys are not case-sensitive, values are.
///
/// A key without values is an absent key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// Sorted by the lower-case name.
    entries: Vec<(Box<str>, Vec<Box<str>>)>,
}

impl Context {
    /// A context without any key.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a key to one value, whatever it held before.
    pub fn set(&mut self, key: &str, value: impl Into<Box<str>>) {
        let values = self.entry(key);
        values.clear();
        values.push(value.into());
    }

    /// Adds a value to a key that may hold several, such as `aws:TagKeys`.
    pub fn add(&mut self, key: &str, value: impl Into<Box<str>>) {
        self.entry(key).push(value.into());
    }

    /// Takes a key out.
    pub fn remove(&mut self, key: &str) {
        if let Ok(at) = self.position(&key.to_ascii_lowercase()) {
            self.entries.remove(at);
        }
    }

    /// The values of a key; empty when it is absent.
    pub fn get(&self, key: &str) -> &[Box<str>] {
        self.get_lower(&key.to_ascii_lowercase())
    }

    /// All keys, in lower case and in order, with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[Box<str>])> {
        self.entries.iter().map(|(key, values)| (&**key, values.as_slice()))
    }

    /// As [`Context::get`], for a key already in lower case.
    pub(crate) fn get_lower(&self, key: &str) -> &[Box<str>] {
        self.position(key).map_or(&[], |at| &self.entries[at].1)
    }

    fn position(&self, key: &str) -> Result<usize, usize> {
        self.entries.binary_search_by(|(name, _)| (**name).cmp(key))
    }

    fn entry(&mut self, key: &str) -> &mut Vec<Box<str>> {
        let key = key.to_ascii_lowercase();
        let at = match self.position(&key) {
            Ok(at) => at,
            Err(at) => {
                self.entries.insert(at, (key.into(), Vec::new()));
                at
            }
        };
        &mut self.entries[at].1
    }
}
