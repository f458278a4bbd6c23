//! Passwords: what they must be like, and the slow hashes they are kept as.

use crate::errors::{Failure, password_policy};
use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use environment::Environment;
use resources::access::Secret;
use resources::iam::{LoginProfile, PasswordPolicy};

/// Bytes of a salt.
const SALT: usize = 16;
/// Former passwords that are compared; the model lets a policy ask for no more.
const MOST_FORMER: usize = 24;

/// Checks a new password of `user` against the account's policy and against `old`, and hashes it.
pub(crate) async fn accept(
    environment: &Environment,
    policy: Option<PasswordPolicy>,
    password: &Secret,
    user: &str,
    old: Option<&LoginProfile>,
) -> Result<Secret, Failure> {
    // Read to check and hash it; it goes nowhere else.
    if !conforms(policy.as_ref(), password.expose(), user) {
        return Err(password_policy("Password does not conform to the account password policy."));
    }
    if let (Some(old), Some(prevented)) = (old, policy.and_then(|policy| policy.reuse_prevention)) {
        let former = std::iter::once(&old.password_hash).chain(&old.former);
        for hash in former.take(usize::try_from(prevented).unwrap_or(0).min(MOST_FORMER)) {
            if matches(hash, password).await {
                return Err(password_policy("Password does not conform to the account password policy."));
            }
        }
    }
    let mut salt = [0u8; SALT];
    environment.fill_random(&mut salt);
    let password = password.clone();
    slow(move || hash(&password, &salt)).await.flatten().ok_or_else(|| {
        tracing::error!("a password could not be hashed");
        crate::errors::other(&crate::shapes::errors::SERVICE_FAILURE_EXCEPTION, "The service failed.")
    })
}

/// Whether a password is the one that was hashed.
pub(crate) async fn matches(hash: &Secret, password: &Secret) -> bool {
    let (hash, password) = (hash.clone(), password.clone());
    let verify = move || {
        // Read to compare them.
        let Ok(hash) = PasswordHash::new(hash.expose()) else { return false };
        Argon2::default().verify_password(password.expose().as_bytes(), &hash).is_ok()
    };
    slow(verify).await.unwrap_or(false)
}

/// Runs what takes tens of milliseconds of CPU where it holds up no other request.
async fn slow<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}

fn hash(password: &Secret, salt: &[u8]) -> Option<Secret> {
    let salt = SaltString::encode_b64(salt).ok()?;
    // Read to hash it.
    let hash = Argon2::default().hash_password(password.expose().as_bytes(), &salt).ok()?;
    Some(Secret::new(hash.to_string()))
}

/// Without a policy of the account AWS's own holds: eight characters of three kinds, and not the user's name.
fn conforms(policy: Option<&PasswordPolicy>, password: &str, user: &str) -> bool {
    let symbol = |c: char| "!@#$%^&*()_+-=[]{}|'".contains(c);
    let has = |kind: &dyn Fn(char) -> bool| password.chars().any(kind);
    let upper = has(&|c| c.is_ascii_uppercase());
    let lower = has(&|c| c.is_ascii_lowercase());
    let digit = has(&|c| c.is_ascii_digit());
    let symbols = has(&symbol);
    let length = password.chars().count();
    match policy {
        None => {
            let kinds = [upper, lower, digit, symbols].iter().filter(|kind| **kind).count();
            length >= 8 && kinds >= 3 && !password.eq_ignore_ascii_case(user)
        }
        Some(policy) => {
            u32::try_from(length).is_ok_and(|length| length >= policy.minimum_length)
                && (upper || !policy.require_uppercase)
                && (lower || !policy.require_lowercase)
                && (digit || !policy.require_numbers)
                && (symbols || !policy.require_symbols)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_policy_wants_three_kinds() {
        for (password, good) in [
            ("Passw0rd", true),
            ("password1!", true),
            ("password", false),
            ("Password", false),
            ("Pa1!", false),
            ("Admin-01", false),
        ] {
            assert_eq!(conforms(None, password, "admin-01"), good, "{password}");
        }
    }

    #[test]
    fn an_account_may_want_something_else() {
        let policy = PasswordPolicy {
            minimum_length: 6,
            require_symbols: true,
            require_numbers: false,
            require_uppercase: false,
            require_lowercase: false,
            users_may_change: false,
            max_age_days: None,
            reuse_prevention: None,
            hard_expiry: None,
        };
        assert!(conforms(Some(&policy), "abcde!", "u"));
        assert!(!conforms(Some(&policy), "abcdef", "u"));
        assert!(!conforms(Some(&policy), "a!", "u"));
    }

    #[tokio::test]
    async fn hashes_are_slow_salted_and_show_nothing() {
        let environment = Environment::real();
        let password = Secret::new("Passw0rd!");
        let hash = accept(&environment, None, &password, "u", None).await.expect("conforms");
        let again = accept(&environment, None, &password, "u", None).await.expect("conforms");
        assert!(hash.expose().starts_with("$argon2id$"));
        assert_ne!(hash, again);
        assert!(!hash.expose().contains("Passw0rd"));
        assert!(matches(&hash, &password).await);
        assert!(!matches(&hash, &Secret::new("passw0rd!")).await);
    }
}
