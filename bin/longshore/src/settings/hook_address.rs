//! Where a function is called that deployments wait for: `arn:aws:lambda:...=http://127.0.0.1:8080/check`.

use identifiers::Arn;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// A function and the URL that stands for it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct HookAddress {
    pub(crate) function: String,
    pub(crate) url: String,
}

impl FromStr for HookAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (function, url) = text.split_once('=').ok_or("write ARN=URL")?;
        let arn: Arn = function.parse().map_err(|_| format!("{function} is no ARN"))?;
        if arn.service != "lambda" || !arn.resource.starts_with("function:") {
            return Err(format!("{function} is no ARN of a function"));
        }
        let uri: http::Uri = url.parse().map_err(|error| format!("{url}: {error}"))?;
        if uri.host().is_none() || !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(format!("{url} is no URL of http or https"));
        }
        Ok(Self { function: function.to_owned(), url: url.to_owned() })
    }
}

impl TryFrom<String> for HookAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<HookAddress> for String {
    fn from(hook: HookAddress) -> Self {
        format!("{}={}", hook.function, hook.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_have_urls() {
        let function = "arn:aws:lambda:us-east-1:123456789012:function:check";
        for (text, good) in [
            (format!("{function}=http://127.0.0.1:8080/check?a=b"), true),
            (format!("{function}=https://hooks.example/"), true),
            (format!("{function}=ftp://hooks.example/"), false),
            (format!("{function}=/check"), false),
            (function.to_owned(), false),
            ("arn:aws:sns:us-east-1:123456789012:topic=http://127.0.0.1/".to_owned(), false),
        ] {
            assert_eq!(text.parse::<HookAddress>().is_ok(), good, "{text}");
        }
    }
}
