//! Tokens of pages: opaque to clients, and refused when they are not ours.

use crate::errors::invalid_token;
use crate::events::position::Position;
use aws_wire::ServiceError;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Marks our tokens and their version.
const MARK: &str = "1|";

/// A token that carries `text`.
pub fn encode(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{MARK}{text}"))
}

/// The text that a token carries.
pub fn decode(token: &str) -> Result<String, ServiceError> {
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| invalid_token())?;
    let text = String::from_utf8(bytes).map_err(|_| invalid_token())?;
    text.strip_prefix(MARK).map(str::to_owned).ok_or_else(invalid_token)
}

/// What a token of GetLogEvents asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Events after this position.
    After(Position),
    /// Events before this position.
    Before(Position),
}

impl Step {
    /// The token's text, `f/.../s` or `b/.../s`.
    pub fn token(self, stream: u64) -> String {
        match self {
            Self::After(position) => format!("f/{}/s", position.event_id(stream)),
            Self::Before(position) => format!("b/{}/s", position.event_id(stream)),
        }
    }

    /// Reads a token.
    pub fn parse(token: &str) -> Result<Self, ServiceError> {
        let body = token.strip_suffix("/s").ok_or_else(invalid_token)?;
        let (way, id) = body.split_once('/').ok_or_else(invalid_token)?;
        let position = Position::from_event_id(id).ok_or_else(invalid_token)?;
        match way {
            "f" => Ok(Self::After(position)),
            "b" => Ok(Self::Before(position)),
            _ => Err(invalid_token()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back_and_others_are_refused() {
        assert_eq!(decode(&encode("a/b")).expect("decodes"), "a/b");
        for bad in ["", "abc", "!", &URL_SAFE_NO_PAD.encode("x")] {
            assert!(decode(bad).is_err(), "{bad}");
        }
        let step = Step::Before(Position { time: 7, segment: 1, arrival: 2 });
        assert_eq!(Step::parse(&step.token(3)).expect("parses"), step);
        for bad in ["", "f/", "f//s", "x/0/s", "f/é/s"] {
            assert!(Step::parse(bad).is_err(), "{bad}");
        }
    }
}
