//! Files sent through hyper, byte for byte.

use bytes::Bytes;
use file_body::{FileBody, FileStream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 31 % 251) as u8).collect()
}

/// Serves ranges of a file, `/OFFSET/LENGTH`, and `/text` on one connection.
async fn serve(listener: TcpListener, file: Arc<File>) {
    let (socket, _) = listener.accept().await.expect("accepts");
    let stream = FileStream::new(socket);
    let files = stream.files();
    let service = service_fn(move |request: http::Request<_>| {
        let _: &hyper::body::Incoming = request.body();
        let numbers: Vec<u64> = request.uri().path().split('/').flat_map(str::parse).collect();
        let body: UnsyncBoxBody<Bytes, Infallible> = match numbers[..] {
            [offset, length] => FileBody::new(files.clone(), file.clone(), offset, length).boxed_unsync(),
            _ => Full::new(Bytes::from_static(b"text")).boxed_unsync(),
        };
        async move { Ok::<_, Infallible>(http::Response::new(body)) }
    });
    // A file that is too short ends the connection, which is what one of the tests wants.
    let _ = http1::Builder::new().writev(true).serve_connection(TokioIo::new(stream), service).await;
}

async fn connect(bytes: &[u8]) -> (TcpStream, tokio::task::JoinHandle<()>) {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(bytes).expect("writes");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("is bound");
    let server = tokio::spawn(serve(listener, Arc::new(file)));
    (TcpStream::connect(address).await.expect("connects"), server)
}

async fn ask(client: &mut TcpStream, path: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nhost: here\r\n\r\n");
    client.write_all(request.as_bytes()).await.expect("asks");
}

/// One answer: its head ends with an empty line and says its length.
async fn answer(client: &mut TcpStream) -> Vec<u8> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.expect("a head"));
    }
    let head = String::from_utf8(head).expect("text").to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).expect("a length");
    let length = length.lines().next().and_then(|line| line.parse().ok()).expect("a number");
    let mut body = vec![0; length];
    client.read_exact(&mut body).await.expect("a body");
    body
}

#[tokio::test]
async fn ranges_arrive_as_they_are_one_after_another_and_pipelined() {
    let bytes = content(5 * 1024 * 1024 + 17);
    let (mut client, server) = connect(&bytes).await;
    let ranges = [(0, bytes.len()), (1, 1), (1_048_575, 2), (7, 0), (100, 3_000_000), (5_242_880, 17)];
    for (offset, length) in ranges {
        ask(&mut client, &format!("/{offset}/{length}")).await;
        assert_eq!(answer(&mut client).await, bytes[offset..offset + length], "{offset} {length}");
    }
    for (offset, length) in ranges {
        ask(&mut client, &format!("/{offset}/{length}")).await;
        ask(&mut client, "/text").await;
    }
    for (offset, length) in ranges {
        assert_eq!(answer(&mut client).await, bytes[offset..offset + length], "{offset} {length}");
        assert_eq!(answer(&mut client).await, b"text");
    }
    drop(client);
    server.await.expect("ends");
}

#[tokio::test]
async fn many_connections_do_not_mix_their_files() {
    let clients = (0..20_usize).map(|number| async move {
        let bytes = content(2_000_000 + number);
        let (mut client, server) = connect(&bytes[number..]).await;
        ask(&mut client, "/0/2000000").await;
        assert_eq!(answer(&mut client).await, bytes[number..]);
        drop(client);
        server.await.expect("ends");
    });
    futures::future::join_all(clients).await;
}

#[tokio::test]
async fn a_file_that_is_too_short_ends_the_connection() {
    let (mut client, server) = connect(&content(10)).await;
    ask(&mut client, "/0/11").await;
    let mut all = Vec::new();
    client.read_to_end(&mut all).await.expect("reads until the end");
    assert!(all.ends_with(&content(10)));
    server.await.expect("ends");
}
