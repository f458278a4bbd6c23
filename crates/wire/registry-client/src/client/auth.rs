//! Answers a registry's demand for authentication: Basic, or Bearer with a token from its token server.
//!
//! What a host asked for is remembered, so that the next call to it carries the right header at once.

use super::{Client, Repository, innermost, method_name, protocol};
use crate::error::RegistryError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use environment::Timestamp;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use parking_lot::Mutex;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::collections::HashMap;
use std::time::Duration;

/// Hosts and tokens remembered; past that, all are forgotten and asked for anew.
const MAX_KNOWN: usize = 1024;
/// The longest answer of a token server.
const MAX_ANSWER: usize = 1 << 20;
/// What the token specification says a token lives when its server does not say.
const DEFAULT_LIFE_SECONDS: u64 = 60;

/// What is known about authentication at each registry.
#[derive(Default)]
pub(super) struct Authorizer {
    /// By name and address: one address may serve several registries, which ask for different things.
    schemes: Mutex<HashMap<(String, String), Scheme>>,
    tokens: Mutex<HashMap<TokenKey, Token>>,
}

/// What a registry asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Scheme {
    Basic,
    Bearer { realm: String, service: Option<String> },
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct TokenKey {
    realm: String,
    service: Option<String>,
    scope: String,
    auth: Option<crate::reach::BasicAuth>,
}

struct Token {
    header: HeaderValue,
    expires: Timestamp,
}

impl Authorizer {
    /// The header for a call, as far as the registry's wishes are known.
    pub(super) async fn header(
        &self,
        client: &Client,
        repository: &Repository,
        actions: &str,
    ) -> Result<Option<HeaderValue>, RegistryError> {
        let scheme = self.schemes.lock().get(&known_as(repository)).cloned();
        match scheme {
            None => Ok(None),
            Some(scheme) => self.answer(client, repository, actions, &scheme, true).await,
        }
    }

    /// The header that a 401 answer asks for; `None` when there is nothing to give.
    pub(super) async fn challenged(
        &self,
        client: &Client,
        repository: &Repository,
        actions: &str,
        headers: &HeaderMap,
    ) -> Result<Option<HeaderValue>, RegistryError> {
        let Some(scheme) = choose(headers) else { return Ok(None) };
        {
            let mut schemes = self.schemes.lock();
            if schemes.len() >= MAX_KNOWN {
                schemes.clear();
            }
            schemes.insert(known_as(repository), scheme.clone());
        }
        self.answer(client, repository, actions, &scheme, false).await
    }

    async fn answer(
        &self,
        client: &Client,
        repository: &Repository,
        actions: &str,
        scheme: &Scheme,
        use_known_token: bool,
    ) -> Result<Option<HeaderValue>, RegistryError> {
        match scheme {
            Scheme::Basic => repository.auth.as_ref().map(basic).transpose(),
            Scheme::Bearer { realm, service } => {
                let key = TokenKey {
                    realm: realm.clone(),
                    service: service.clone(),
                    scope: format!("repository:{}:{actions}", repository.name),
                    auth: repository.auth.clone(),
                };
                if use_known_token {
                    let now = client.environment.now();
                    if let Some(token) = self.tokens.lock().get(&key).filter(|token| token.expires > now) {
                        return Ok(Some(token.header.clone()));
                    }
                }
                let token = fetch_token(client, repository, &key).await?;
                let header = token.header.clone();
                let mut tokens = self.tokens.lock();
                if tokens.len() >= MAX_KNOWN {
                    tokens.clear();
                }
                tokens.insert(key, token);
                Ok(Some(header))
            }
        }
    }
}

/// What a registry's wishes are remembered under.
fn known_as(repository: &Repository) -> (String, String) {
    (repository.host.clone(), repository.base.clone())
}

fn basic(auth: &crate::reach::BasicAuth) -> Result<HeaderValue, RegistryError> {
    let encoded = STANDARD.encode(format!("{}:{}", auth.username, auth.password));
    secret(format!("Basic {encoded}"))
}

fn secret(text: String) -> Result<HeaderValue, RegistryError> {
    let mut value = HeaderValue::try_from(text)
        .map_err(|_| protocol("credentials", "they cannot be sent in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

async fn fetch_token(
    client: &Client,
    repository: &Repository,
    key: &TokenKey,
) -> Result<Token, RegistryError> {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    if !key.realm.starts_with("https://") && !repository.plain {
        return Err(protocol(&key.realm, "the token server is not reached by https"));
    }
    // A name of this machine is reached as the registry is; not every resolver knows it.
    let realm = repository.through_base(&key.realm);
    let mut url = format!("{realm}{}scope={}", separator(&key.realm), encode(&key.scope));
    if let Some(service) = &key.service {
        url.push_str("&service=");
        url.push_str(&encode(service));
    }
    let mut request = Request::get(&url);
    if let Some(auth) = &key.auth {
        request = request.header(header::AUTHORIZATION, basic(auth)?);
    }
    let request = request
        .body(Full::<Bytes>::default())
        .map_err(|error| protocol(&key.realm, format!("not a usable address: {}", innermost(&error))))?;
    let answer = client.execute(request).await?;
    match answer.status() {
        StatusCode::OK => {}
        status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
            return Err(RegistryError::Denied {
                host: repository.host.clone(),
                what: format!("token {}", key.scope),
                status,
            });
        }
        status => {
            return Err(RegistryError::Status {
                method: method_name(&Method::GET),
                url: key.realm.clone(),
                status,
            });
        }
    }
    let body = client.body(&key.realm, answer, MAX_ANSWER).await?;
    // Servers use either name for the token, and some send both.
    let value: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let token = ["token", "access_token"].iter().find_map(|name| value.get(name)?.as_str());
    let token = token.ok_or_else(|| protocol(&key.realm, "the token server's answer holds no token"))?;
    let life = value.get("expires_in").and_then(serde_json::Value::as_u64);
    let life = life.unwrap_or(DEFAULT_LIFE_SECONDS).min(86_400);
    Ok(Token {
        header: secret(format!("Bearer {token}"))?,
        // A little early, so that it does not run out on the way.
        expires: client.environment.now() + Duration::from_secs(life * 9 / 10),
    })
}

fn separator(realm: &str) -> char {
    if realm.contains('?') { '&' } else { '?' }
}

/// The best scheme among those that a 401 answer offers.
fn choose(headers: &HeaderMap) -> Option<Scheme> {
    let offers = headers.get_all(header::WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let mut found = None;
    for offer in offers {
        let (name, parameters) = offer.trim().split_once(' ').unwrap_or((offer.trim(), ""));
        if name.eq_ignore_ascii_case("bearer") {
            if let Some(realm) = parameter(parameters, "realm") {
                return Some(Scheme::Bearer { realm, service: parameter(parameters, "service") });
            }
        } else if name.eq_ignore_ascii_case("basic") {
            found = Some(Scheme::Basic);
        }
    }
    found
}

/// One parameter of a challenge: `name="value"` or `name=value`.
fn parameter(parameters: &str, wanted: &str) -> Option<String> {
    let mut rest = parameters;
    loop {
        let (name, after) = rest.split_once('=')?;
        let (value, remainder) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(',').unwrap_or((after, "")),
        };
        if name.trim().trim_start_matches(',').trim().eq_ignore_ascii_case(wanted) {
            return Some(value.trim().to_owned());
        }
        rest = remainder;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(offers: &[&str]) -> Option<Scheme> {
        let mut headers = HeaderMap::new();
        for offer in offers {
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_str(offer).expect("a header"));
        }
        choose(&headers)
    }

    #[test]
    fn challenges_are_read() {
        assert_eq!(chosen(&[r#"Basic realm="x",service="y""#]), Some(Scheme::Basic));
        let bearer =
            Scheme::Bearer { realm: "https://a/token".to_owned(), service: Some("reg, istry".to_owned()) };
        let offer = r#"Bearer realm="https://a/token", service="reg, istry",scope="repository:x:pull""#;
        assert_eq!(chosen(&["Basic realm=\"x\"", offer]), Some(bearer));
        assert_eq!(chosen(&["Bearer x"]), None);
        assert_eq!(chosen(&["Digest realm=\"x\""]), None);
    }

    #[tokio::test]
    async fn registries_at_one_address_are_told_apart() {
        let client = Client::new(environment::Environment::real(), std::time::Duration::from_secs(1));
        let auth = Some(crate::BasicAuth { username: "AWS".to_owned(), password: "password".to_owned() });
        let reach = crate::Reach { auth, ..crate::Reach::default() };
        let at = |reference: &str| Repository::new(&reference.parse().expect("parses"), &reach);
        let (private, public) = (at("localhost:4566/x"), at("public.ecr.localhost:4566/x"));
        assert_eq!(private.base, public.base);
        let mut headers = HeaderMap::new();
        headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"x\""));
        let authorizer = Authorizer::default();
        let given = authorizer.challenged(&client, &private, "pull", &headers).await.expect("answers");
        assert_eq!(authorizer.header(&client, &private, "pull").await.expect("knows"), given);
        assert!(given.is_some());
        assert_eq!(authorizer.header(&client, &public, "pull").await.expect("asks first"), None);
    }
}
