//! What the demonstration's containers run: the longshore binary itself, as a tiny web server and its visitor.

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// Port of the web container.
pub(crate) const PORT: u16 = 8080;

/// One of the demonstration's containers.
#[derive(Args)]
pub(crate) struct DemoContainerArgs {
    role: Role,
}

#[derive(Clone, Copy, ValueEnum)]
enum Role {
    Web,
    Visitor,
}

/// Runs until the container is stopped.
pub(crate) fn run(arguments: DemoContainerArgs) -> Result<()> {
    match arguments.role {
        Role::Web => serve(),
        Role::Visitor => visit(),
    }
}

fn serve() -> Result<()> {
    let listener = TcpListener::bind(("0.0.0.0", PORT)).context("listen")?;
    println!("web: listening on port {PORT}");
    for (number, stream) in (1u64..).zip(listener.incoming()) {
        // One bad visitor is no reason to close.
        if let Err(error) = stream.and_then(|stream| answer(stream, number)) {
            println!("web: request {number} failed: {error}");
        }
    }
    Ok(())
}

fn answer(stream: TcpStream, number: u64) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let peer = stream.peer_addr()?;
    let mut reader = BufReader::new(stream.try_clone()?).take(16 * 1024);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    println!("web: request {number} from {}", peer.ip());
    let body = format!("hello from a Fargate task of Longshore, request {number}\n");
    write!(
        &stream,
        "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn visit() -> Result<()> {
    for _ in 0..3 {
        println!("visitor: the other container says: {}", fetch("127.0.0.1")?.trim());
        std::thread::sleep(Duration::from_millis(200));
    }
    loop {
        std::thread::park();
    }
}

/// The body that the web container at `host` answers; waits a little for it to listen.
pub(crate) fn fetch(host: &str) -> Result<String> {
    let mut attempts = 0;
    let stream = loop {
        match TcpStream::connect((host, PORT)) {
            Ok(stream) => break stream,
            Err(_) if attempts < 100 => {
                attempts += 1;
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(error) => return Err(error).with_context(|| format!("connect to {host}:{PORT}")),
        }
    };
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(&stream, "GET / HTTP/1.0\r\nHost: {host}\r\n\r\n")?;
    let mut text = String::new();
    stream.take(64 * 1024).read_to_string(&mut text)?;
    let body = text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
    body.context("an answer without a body")
}
