//! Tokens that let agents open channels: in memory, for one use, and not for long.

use environment::Timestamp;
use parking_lot::Mutex;
use resources::ssm::Session;
use std::collections::HashMap;
use std::time::Duration;

/// How long a token waits for its use.
const LIFE: Duration = Duration::from_secs(300);
/// Tokens that wait at a time; with more, the oldest go.
const MOST: usize = 50_000;

/// What a token is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// The control channel of a target.
    Control(String),
    /// The agent's end of a session.
    Data(String),
}

/// The tokens that wait, by their hashes.
#[derive(Default)]
pub(super) struct Tokens(Mutex<HashMap<String, (Use, Timestamp)>>);

impl Tokens {
    pub(super) fn keep(&self, token: &str, purpose: Use, now: Timestamp) {
        let mut tokens = self.0.lock();
        if tokens.len() >= MOST {
            tokens.retain(|_, (_, made_at)| now.since(*made_at) < LIFE);
        }
        if tokens.len() >= MOST
            && let Some(oldest) =
                tokens.iter().min_by_key(|(_, (_, made_at))| *made_at).map(|(hash, _)| hash.clone())
        {
            tokens.remove(&oldest);
        }
        tokens.insert(Session::hash_of(token), (purpose, now));
    }

    /// Uses a token for the control channel of a target up; answers the account that it is for.
    pub(super) fn control_account(&self, token: &str, target: &str, now: Timestamp) -> Option<String> {
        let hash = Session::hash_of(token);
        let purpose = self.0.lock().get(&hash).map(|(purpose, _)| purpose.clone())?;
        let Use::Control(named) = &purpose else { return None };
        let account = named.strip_suffix(target)?.strip_suffix('/')?.to_owned();
        self.take(token, &purpose, now).then_some(account)
    }

    /// Uses a token up; false when it is not for this.
    pub(super) fn take(&self, token: &str, purpose: &Use, now: Timestamp) -> bool {
        let hash = Session::hash_of(token);
        let mut tokens = self.0.lock();
        let fits =
            tokens.get(&hash).is_some_and(|(known, made_at)| known == purpose && now.since(*made_at) < LIFE);
        if fits {
            tokens.remove(&hash);
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_for_one_use_of_its_own() {
        let tokens = Tokens::default();
        let (control, data) = (Use::Control("a".to_owned()), Use::Data("a".to_owned()));
        let at = |seconds| Timestamp::from_seconds(seconds);
        tokens.keep("t", control.clone(), at(0));
        assert!(!tokens.take("t", &data, at(1)) && !tokens.take("u", &control, at(1)));
        assert!(tokens.take("t", &control, at(1)));
        assert!(!tokens.take("t", &control, at(1)), "it is used up");
        tokens.keep("t", data.clone(), at(0));
        assert!(!tokens.take("t", &data, at(300)), "it is too old");
    }
}
