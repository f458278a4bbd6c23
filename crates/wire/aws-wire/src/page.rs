//! Pages of lists. A token is the last key of a page, bound to the request it came from.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Which page of a list is asked for.
#[derive(Clone, Debug)]
pub struct Page {
    /// Key of the last item of the page before; the page has what follows it.
    pub after: Option<String>,
    /// Most items of the page.
    pub limit: usize,
    scope: String,
}

impl Page {
    /// Reads the page of a request. `scope` names the list and its filters; `None` when the token is not one of them.
    pub fn new(token: Option<&str>, limit: usize, scope: impl Into<String>) -> Option<Self> {
        let scope = scope.into();
        let after = match token {
            Some(token) => Some(read(token, &scope)?),
            None => None,
        };
        Some(Self { after, limit, scope })
    }

    /// Whether so many items that follow are enough: a page of them, and one more that says that there are others.
    pub fn is_enough(&self, items: usize) -> bool {
        items > self.limit
    }

    /// The token of the page after the one that ends with `last`.
    pub fn token(&self, last: &str) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}\n{last}", self.scope))
    }

    /// The page of a list whose keys ascend, and the token of the next one.
    pub fn cut<T>(&self, mut items: Vec<T>, key: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
        if let Some(after) = &self.after {
            items.retain(|item| key(item) > *after);
        }
        let more = items.len() > self.limit;
        items.truncate(self.limit);
        let token = items.last().filter(|_| more).map(|last| self.token(&key(last)));
        (items, token)
    }

    /// As [`Page::cut`], of items that come with their keys.
    pub fn cut_placed<T>(&self, items: Vec<(String, T)>) -> (Vec<T>, Option<String>) {
        let (items, token) = self.cut(items, |(key, _)| key.clone());
        (items.into_iter().map(|(_, item)| item).collect(), token)
    }
}

fn read(token: &str, scope: &str) -> Option<String> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (found, last) = text.rsplit_once('\n')?;
    (found == scope).then(|| last.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other() {
        let rows: Vec<String> = ["a", "b", "c", "d"].map(str::to_owned).into();
        let (mut seen, mut token) = (Vec::new(), None::<String>);
        loop {
            let page = Page::new(token.as_deref(), 2, "rows").expect("is right");
            let (items, next) = page.cut(rows.clone(), Clone::clone);
            seen.extend(items);
            token = next;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(seen, rows, "and a full last page has no token");
    }

    #[test]
    fn tokens_of_other_lists_are_none() {
        let token = Page::new(None, 1, "clusters").expect("is right").token("a\nb");
        assert!(Page::new(Some(&token), 1, "tasks").is_none());
        assert!(Page::new(Some("!"), 1, "clusters").is_none());
        let (_, token) =
            Page::new(None, 1, "of a").expect("is right").cut(vec!["x", "y"], |x| (*x).to_owned());
        assert!(Page::new(token.as_deref(), 1, "of b").is_none());
    }
}
