//! Tokens of a provider that is asked over https: a server and an authority of the test's own.

use super::{ProviderKeys, verify};
use aws_wire::ServiceError;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use environment::{Environment, Simulation, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256};
use resources::iam::OidcProvider;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use sha1::{Digest, Sha1};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const START: i64 = 1_700_000_000;

/// What a path answers with: the head from its status on, and the body.
type Answers = Arc<Mutex<Vec<(&'static str, &'static str, String)>>>;

/// An identity provider that runs in the test.
struct Provider {
    port: u16,
    /// Fingerprint of its authority.
    thumbprint: String,
    answers: Answers,
    asked: Arc<AtomicUsize>,
    key: KeyPair,
}

impl Provider {
    /// Starts one whose certificate is for `name`.
    async fn start(name: &str) -> Self {
        let authority_key = key_pair();
        let mut params = CertificateParams::new(vec![]).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = params.self_signed(&authority_key).expect("signs itself");
        let issuer = Issuer::new(params, authority_key);
        let key = key_pair();
        let leaf = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let leaf = leaf.signed_by(&key, &issuer).expect("is signed");
        let chain = vec![leaf.der().clone(), authority.der().clone()];
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (answers, asked) = (Answers::default(), Arc::new(AtomicUsize::new(0)));
        let acceptor = acceptor(chain, &key);
        tokio::spawn(serve(listener, acceptor, answers.clone(), asked.clone()));
        let thumbprint = hex::encode(Sha1::digest(authority.der()));
        let provider = Self { port, thumbprint, answers, asked, key: key_pair() };
        provider.publish("one", &provider.key);
        provider
    }

    /// Answers with one key of an id.
    fn publish(&self, id: &str, key: &KeyPair) {
        let point = key.public_key_raw();
        let part = |range: std::ops::Range<usize>| URL_SAFE_NO_PAD.encode(&point[range]);
        let key = json!({"kty": "EC", "crv": "P-256", "kid": id, "x": part(1..33), "y": part(33..65)});
        self.answer_keys("200 OK\r\n", &json!({"keys": [key]}).to_string());
    }

    /// Answers with a head and a body where the keys are expected.
    fn answer_keys(&self, head: &'static str, body: &str) {
        let discovery = json!({"jwks_uri": format!("https://localhost:{}/keys", self.port)}).to_string();
        *self.answers.lock().expect("not poisoned") = vec![
            ("/.well-known/openid-configuration", "200 OK\r\n", discovery),
            ("/keys", head, body.to_owned()),
        ];
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// As an account has registered it.
    fn registered(&self, thumbprints: &[&str]) -> OidcProvider {
        OidcProvider {
            account: "123456789012".parse().expect("an account"),
            url: format!("localhost:{}", self.port),
            client_ids: vec!["sts.amazonaws.com".to_owned()],
            thumbprints: thumbprints.iter().map(|print| (*print).to_owned()).collect(),
            tags: vec![],
            created_at: Timestamp::from_seconds(START),
        }
    }

    /// A token with changes to what a good one says.
    fn token(&self, id: &str, key: &KeyPair, changes: Value) -> String {
        let mut claims = json!({
            "iss": format!("https://localhost:{}", self.port),
            "sub": "pod",
            "aud": "sts.amazonaws.com",
            "exp": START + 86_400,
        });
        if let (Some(claims), Value::Object(changes)) = (claims.as_object_mut(), changes) {
            claims.extend(changes);
        }
        let header = Header { kid: Some(id.to_owned()), ..Header::new(Algorithm::ES256) };
        encode(&header, &claims, &EncodingKey::from_ec_der(&key.serialize_der())).expect("signs")
    }

    fn good(&self) -> String {
        self.token("one", &self.key, json!({}))
    }
}

fn key_pair() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key")
}

fn acceptor(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> TlsAcceptor {
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a private key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a certificate");
    TlsAcceptor::from(Arc::new(config))
}

/// Answers one request a connection; the end of the test ends it.
async fn serve(listener: TcpListener, acceptor: TlsAcceptor, answers: Answers, asked: Arc<AtomicUsize>) {
    loop {
        let Ok((socket, _)) = listener.accept().await else { return };
        // Clients that do not trust the certificate end the handshake.
        let Ok(mut stream) = acceptor.accept(socket).await else { continue };
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => request.push(byte),
                Err(_) => break,
            }
        }
        asked.fetch_add(1, Ordering::SeqCst);
        let request = String::from_utf8_lossy(&request).into_owned();
        let path = request.split(' ').nth(1).unwrap_or_default();
        let answer = answers.lock().expect("not poisoned").iter().find(|answer| answer.0 == path).cloned();
        let Some((_, head, body)) = answer else { continue };
        if head == SILENCE {
            std::future::pending::<()>().await;
        }
        let answer =
            format!("HTTP/1.1 {head}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
    }
}

/// Instead of a head: no answer, ever.
const SILENCE: &str = "";

fn keys() -> (ProviderKeys, Arc<Simulation>, Environment) {
    let (environment, simulation) = Environment::simulated(Timestamp::from_seconds(START), 1);
    (ProviderKeys::new(None, environment.clone()), simulation, environment)
}

fn refusal<T>(result: Result<T, ServiceError>) -> (&'static str, String) {
    let error = result.err().expect("refused");
    (error.shape.name, error.message.into_owned())
}

#[tokio::test]
async fn keys_come_over_https_and_are_remembered() {
    let (server, (keys, simulation, environment)) = (Provider::start("localhost").await, keys());
    // IAM keeps fingerprints in lower case; a caller's spelling makes no difference.
    let provider = server.registered(&["0".repeat(40).as_str(), &server.thumbprint.to_uppercase()]);
    let token = server.good();
    let claims = verify(&keys, &provider, &token, environment.now()).await.expect("a good token");
    assert_eq!(claims.sub, "pod");
    assert_eq!(server.asked(), 2, "the configuration, then the keys");
    verify(&keys, &provider, &token, environment.now()).await.expect("again");
    assert_eq!(server.asked(), 2, "remembered");
    simulation.advance(Duration::from_secs(3601));
    verify(&keys, &provider, &token, environment.now()).await.expect("an hour later");
    assert_eq!(server.asked(), 4, "not believed for longer than an hour");
}

#[tokio::test]
async fn an_authority_that_is_not_registered_is_not_believed() {
    let (server, (keys, _, environment)) = (Provider::start("localhost").await, keys());
    let token = server.good();
    let good = server.registered(&[&server.thumbprint]);
    verify(&keys, &good, &token, environment.now()).await.expect("another account's keys are remembered");
    for thumbprints in [vec![], vec!["a".repeat(40)]] {
        let thumbprints: Vec<&str> = thumbprints.iter().map(String::as_str).collect();
        let provider = server.registered(&thumbprints);
        let refused = refusal(verify(&keys, &provider, &token, environment.now()).await);
        assert_eq!(refused.0, "InvalidIdentityTokenException");
        assert_eq!(
            refused.1,
            "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint"
        );
    }
    assert_eq!(server.asked(), 2, "nothing was asked of a server that is not trusted");
}

#[tokio::test]
async fn a_registered_authority_vouches_for_the_named_server_only() {
    let (server, (keys, _, environment)) = (Provider::start("elsewhere.test").await, keys());
    let provider = server.registered(&[&server.thumbprint]);
    let refused = refusal(verify(&keys, &provider, &server.good(), environment.now()).await);
    assert_eq!(refused.0, "IDPCommunicationErrorException");
    assert_eq!(server.asked(), 0);
}

#[tokio::test]
async fn tokens_that_are_not_right_are_refused() {
    let (server, (keys, _, environment)) = (Provider::start("localhost").await, keys());
    let provider = server.registered(&[&server.thumbprint]);
    let other = key_pair();
    let cases = [
        (server.token("one", &server.key, json!({"aud": "somebody else"})), "InvalidIdentityTokenException"),
        (server.token("one", &server.key, json!({"exp": START})), "ExpiredTokenException"),
        (server.token("one", &server.key, json!({"nbf": START + 60})), "InvalidIdentityTokenException"),
        (
            server.token("one", &server.key, json!({"iss": "https://elsewhere.test"})),
            "InvalidIdentityTokenException",
        ),
        (server.token("one", &other, json!({})), "InvalidIdentityTokenException"),
        (server.token("two", &server.key, json!({})), "InvalidIdentityTokenException"),
        ("a.b.c".to_owned(), "InvalidIdentityTokenException"),
    ];
    for (token, expected) in cases {
        assert_eq!(refusal(verify(&keys, &provider, &token, environment.now()).await).0, expected, "{token}");
    }
    verify(&keys, &provider, &server.good(), environment.now()).await.expect("a good token");
}

#[tokio::test]
async fn a_provider_that_rotates_is_asked_again_but_not_at_every_unknown_key() {
    let (server, (keys, simulation, environment)) = (Provider::start("localhost").await, keys());
    let provider = server.registered(&[&server.thumbprint]);
    let (new, unknown) = (key_pair(), "Couldn't retrieve verification key from your identity provider");
    let token = server.token("two", &new, json!({}));
    for _ in 0..3 {
        assert!(refusal(verify(&keys, &provider, &token, environment.now()).await).1.starts_with(unknown));
    }
    assert_eq!(server.asked(), 2, "asked once");
    server.publish("two", &new);
    simulation.advance(Duration::from_secs(61));
    verify(&keys, &provider, &token, environment.now()).await.expect("the new key");
    assert_eq!(server.asked(), 4);
}

#[tokio::test]
async fn answers_are_bounded_and_stay_with_https() {
    let (server, (keys, _, environment)) = (Provider::start("localhost").await, keys());
    let provider = server.registered(&[&server.thumbprint]);
    let token = server.good();
    let communication = async |what: &str| {
        let refused = refusal(verify(&keys, &provider, &token, environment.now()).await);
        assert_eq!(refused.0, "IDPCommunicationErrorException", "{what}");
    };
    server.answer_keys("200 OK\r\n", &format!("{{\"keys\": [], \"x\": \"{}\"}}", "x".repeat(600 * 1024)));
    communication("more than half a MiB").await;
    server.answer_keys("200 OK\r\n", "<html>");
    communication("no JSON").await;
    server.answer_keys("302 Found\r\nlocation: /elsewhere\r\n", "");
    communication("a redirect").await;
    let asked = server.asked();
    *server.answers.lock().expect("not poisoned") = vec![(
        "/.well-known/openid-configuration",
        "200 OK\r\n",
        json!({"jwks_uri": format!("http://localhost:{}/keys", server.port)}).to_string(),
    )];
    communication("keys without https").await;
    assert_eq!(server.asked(), asked + 1, "the keys were not asked for");
}

/// The clock of tokio stands and jumps to the next deadline when nothing else is to be done, so nobody waits.
#[tokio::test(start_paused = true)]
async fn a_provider_that_is_silent_is_not_waited_for() {
    let (server, (keys, _, environment)) = (Provider::start("localhost").await, keys());
    server.answer_keys(SILENCE, "");
    let provider = server.registered(&[&server.thumbprint]);
    let refused = refusal(verify(&keys, &provider, &server.good(), environment.now()).await);
    assert_eq!(refused.0, "IDPCommunicationErrorException");
}
