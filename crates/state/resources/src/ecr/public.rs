//! The public registry: rows as those of private repositories have, under names that no private one can have.

use super::Repository;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};

/// What the stored names of public repositories begin with. Names of private ones hold no colon.
const MARK: &str = "public:";
/// What the path of a public repository begins with at a host that is the private registry's too. Two hyphens may follow
/// each other in the path of an image, but not in the name of a repository of ECR.
pub const PUBLIC_PATH: &str = "public--ecr";
/// Digits of an alias after its first letter.
const ALIAS_DIGITS: u32 = 7;
const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// What the gallery of a public registry would show of a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogData {
    /// One line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What the images run on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub architectures: Vec<String>,
    /// Operating systems of the images.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operating_systems: Vec<String>,
    /// What it is, in Markdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// How it is used, in Markdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
}

/// The name under which a public repository is stored.
pub fn public_name(name: &str) -> String {
    format!("{MARK}{name}")
}

/// The name of a repository as its owner gave it.
pub fn given_name(stored: &str) -> &str {
    stored.strip_prefix(MARK).unwrap_or(stored)
}

impl Repository {
    /// Whether everybody may pull from it.
    pub fn is_public(&self) -> bool {
        self.name.starts_with(MARK)
    }

    /// The name as its owner gave it.
    pub fn given_name(&self) -> &str {
        given_name(&self.name)
    }
}

/// The alias that an account's public registry has. It is the account's number in other digits, so it needs no row, and
/// no two accounts ever have the same.
pub fn public_alias(account: &AccountId) -> String {
    let mut rest: u64 = account.as_str().parse().unwrap_or_default();
    let mut text = [b'a'; 1 + ALIAS_DIGITS as usize];
    for place in text[1..].iter_mut().rev() {
        *place = DIGITS[(rest % 36) as usize];
        rest /= 36;
    }
    // Twelve decimal digits leave at most 12 here.
    text[0] = b'a' + u8::try_from(rest).unwrap_or_default();
    String::from_utf8_lossy(&text).into_owned()
}

/// The account whose public registry has an alias.
pub fn account_of_alias(alias: &str) -> Option<AccountId> {
    let (first, rest) = alias.as_bytes().split_first()?;
    if !first.is_ascii_lowercase() || rest.len() != ALIAS_DIGITS as usize {
        return None;
    }
    let mut number = u64::from(first - b'a');
    for byte in rest {
        let digit = DIGITS.iter().position(|digit| digit == byte)?;
        number = number * 36 + digit as u64;
    }
    format!("{number:012}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use environment::Timestamp;

    #[test]
    fn an_alias_stands_for_one_account() {
        for account in ["000000000000", "123456789012", "999999999999"] {
            let account: AccountId = account.parse().expect("an account");
            let alias = public_alias(&account);
            assert_eq!(account_of_alias(&alias), Some(account), "{alias}");
        }
        for alias in ["", "a", "a0000000x", "A0000000", "zzzzzzzz", "a00000-0", "docker"] {
            assert_eq!(account_of_alias(alias), None, "{alias}");
        }
    }

    #[test]
    fn stored_names_are_no_names_of_private_repositories() {
        let account: AccountId = "123456789012".parse().expect("an account");
        let made = |name: &str| Repository::new(account.clone(), name, Timestamp::from_seconds(0));
        let (public, private) = (made(&public_name("team/app")), made("team/app"));
        assert_eq!((public.is_public(), public.given_name()), (true, "team/app"));
        assert_eq!((private.is_public(), private.given_name()), (false, "team/app"));
    }
}
