//! Blobs that a host of this machine takes by reference.

use super::*;
use registry_client::local::{LocalAnswer, LocalRequest, ask};
use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::task::JoinHandle;

struct Socket {
    path: PathBuf,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    server: JoinHandle<()>,
}

impl Socket {
    fn open(f: &Fixture) -> Self {
        let path = f.dir.path().join("registry.sock");
        let listener = UnixListener::bind(&path).expect("binds");
        let registry = f.registry.clone();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let server = tokio::spawn(async move {
            let stopped = async move { drop(stopped.await) };
            registry.hand_over(listener, IpAddr::V4(Ipv4Addr::LOCALHOST), stopped).await;
        });
        Self { path, stop: Some(stop), server }
    }

    async fn ask(&self, repository: &str, digest: &str, token: Option<&str>) -> (u16, Option<File>) {
        let request = LocalRequest {
            host: "localhost:4566".to_owned(),
            repository: repository.to_owned(),
            digest: digest.to_owned(),
            authorization: token.map(|token| format!("Basic {token}")),
        };
        let (LocalAnswer { status }, file) = ask(&self.path, &request).await.expect("is answered");
        (status, file)
    }

    async fn close(mut self) {
        drop(self.stop.take());
        self.server.await.expect("ends when it is told");
    }
}

fn inode(metadata: &std::fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

#[tokio::test]
async fn the_file_is_the_stores_own_and_outlives_it() {
    let f = fixture().await;
    let digest = f.push_blob("app", b"layer").await;
    let socket = Socket::open(&f);
    let (status, file) = socket.ask("app", &digest.to_string(), Some(&f.token)).await;
    let mut file = file.expect("a file");
    let stored = f.registry.0.blobs.local_path(&digest).expect("a file");
    let metadata = file.metadata().expect("there");
    assert_eq!((status, inode(&metadata)), (200, inode(&std::fs::metadata(&stored).expect("there"))));
    assert!(std::io::Write::write(&mut file, b"x").is_err(), "for reading only");
    assert_eq!(f.registry.0.metrics.to_text().matches("shared_blobs_total 1").count(), 1);
    // Unlinked and collected while somebody reads.
    let path = format!("/v2/app/blobs/{digest}");
    assert_eq!(f.status(Method::DELETE, &path).await, StatusCode::ACCEPTED);
    f.registry.0.images.collect(Duration::ZERO).await.expect("collects");
    assert!(!stored.exists());
    let mut text = String::new();
    file.read_to_string(&mut text).expect("reads");
    assert_eq!(text, "layer");
    assert!(matches!(socket.ask("app", &digest.to_string(), Some(&f.token)).await, (404, None)));
    let names: Vec<String> = f.records().await.iter().map(|event| event.name.clone()).collect();
    assert_eq!(
        names.iter().filter(|name| *name == "GetDownloadUrlForLayer").count(),
        2,
        "on record: {names:?}"
    );
    socket.close().await;
}

#[tokio::test]
async fn the_socket_opens_nothing_that_http_does_not() {
    let f = fixture().await;
    let digest = f.push_blob("app", b"layer").await.to_string();
    let image = f.push_image("app", "v1", b"{}").await;
    let socket = Socket::open(&f);
    for (repository, digest, token, expected) in [
        // Not of this repository, not there, nobody, somebody with a wrong password.
        ("other", digest.as_str(), Some(f.token.as_str()), 404),
        ("none", &digest, Some(&f.token), 404),
        ("app", &digest, None, 401),
        ("app", &digest, Some("QVdTOng="), 401),
        // Tricks with paths lead to what the caller may read by HTTP, and never to a file.
        ("app", "../manifests/v1", Some(&f.token), 400),
        ("app", "sha256:../../../etc/passwd", Some(&f.token), 404),
        ("../../etc", &digest, Some(&f.token), 400),
        ("app/manifests/v1?", &digest, Some(&f.token), 204),
        ("app", &image, Some(&f.token), 404),
        ("app\r\nX: y", &digest, Some(&f.token), 400),
    ] {
        let (status, file) = socket.ask(repository, digest, token).await;
        assert!(file.is_none() && status == expected, "{repository} {digest}: {status}");
    }
    // Somebody who is known and may not read here, though elsewhere.
    let account: AccountId = "123456789012".parse().expect("an account");
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:*","Resource":"arn:aws:ecr:us-east-1:123456789012:repository/other"}]}"#;
    let user = uploading::testing_user(&f, &account, policy).await;
    let user = user.strip_prefix("Basic ").expect("a header");
    let (status, file) = socket.ask("app", &digest, Some(user)).await;
    assert!(status == 403 && file.is_none(), "{status}");
    let mount = format!("/v2/other/blobs/uploads/?mount={digest}&from=app");
    assert_eq!(f.call(Method::POST, &mount, b"", &[]).await.0, StatusCode::CREATED);
    assert!(matches!(socket.ask("other", &digest, Some(user)).await, (200, Some(_))));
    socket.close().await;
}
