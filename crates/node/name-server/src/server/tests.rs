//! A server with real sockets, in this process.

use super::*;
use crate::message::query;
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(10);
const SERVFAIL: u8 = 2;

/// An address that nobody listens at, with datagrams or connections.
fn free() -> SocketAddr {
    loop {
        let tcp = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
        let address = tcp.local_addr().expect("has one");
        if std::net::UdpSocket::bind(address).is_ok() {
            return address;
        }
    }
}

fn configuration(listen: SocketAddr, last: u8, resolvers: Vec<SocketAddr>) -> Configuration {
    let names = BTreeMap::from([("web.local".to_owned(), vec![Ipv4Addr::new(10, 88, 0, last)])]);
    Configuration { listen: vec![listen], names, resolvers, ..Configuration::default() }
}

async fn ask(server: SocketAddr, name: &str) -> Vec<u8> {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("binds");
    socket.send_to(&query(7, name), server).await.expect("sends");
    let mut buffer = vec![0; 4096];
    let length = timeout(PATIENCE, socket.recv(&mut buffer)).await.expect("in time").expect("an answer");
    buffer.truncate(length);
    buffer
}

async fn ask_connected(server: SocketAddr, name: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(server).await.expect("connects");
    let query = query(7, name);
    stream.write_all(&[&(query.len() as u16).to_be_bytes()[..], &query].concat()).await.expect("sends");
    let mut answer = vec![0; usize::from(stream.read_u16().await.expect("an answer"))];
    stream.read_exact(&mut answer).await.expect("an answer");
    answer
}

/// An answer with the address 9.9.9.9.
fn nines(query: &[u8]) -> Vec<u8> {
    let mut answer = query.to_vec();
    answer[2] |= 0x80;
    answer[7] = 1;
    answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 9, 9, 9, 9]);
    answer
}

/// A resolver that answers one datagram, after a forged answer, and one connection.
async fn resolver() -> SocketAddr {
    let address = free();
    let datagrams = UdpSocket::bind(address).await.expect("binds");
    let listener = TcpListener::bind(address).await.expect("binds");
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        let (length, from) = datagrams.recv_from(&mut buffer).await.expect("a query");
        let answer = nines(&buffer[..length]);
        let mut forged = answer.clone();
        forged[0] ^= 1;
        datagrams.send_to(&forged, from).await.expect("sends");
        datagrams.send_to(&answer, from).await.expect("sends");
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut query = vec![0; usize::from(stream.read_u16().await.expect("a query"))];
        stream.read_exact(&mut query).await.expect("a query");
        let answer = nines(&query);
        stream.write_all(&[&(answer.len() as u16).to_be_bytes()[..], &answer].concat()).await.expect("sends");
    });
    address
}

#[tokio::test]
async fn own_names_are_answered_and_others_are_passed_on() {
    let (address, resolver) = (free(), resolver().await);
    let mut server = Server::new(&Environment::real(), BTreeMap::new());
    let silent = "127.0.0.1:9".parse().expect("an address");
    server.apply(configuration(address, 42, vec![silent, resolver])).await;
    assert_eq!(server.report(), Report::default());
    assert!(ask(address, "WEB.local").await.ends_with(&[10, 88, 0, 42]));
    assert!(ask(address, "elsewhere.example").await.ends_with(&[9, 9, 9, 9]));
    assert!(ask_connected(address, "web.local").await.ends_with(&[10, 88, 0, 42]));
    assert!(ask_connected(address, "elsewhere.example").await.ends_with(&[9, 9, 9, 9]));
    server.apply(configuration(address, 43, vec![silent])).await;
    assert!(ask(address, "web.local").await.ends_with(&[10, 88, 0, 43]));
    assert_eq!(ask(address, "elsewhere.example").await[3] & 0x0f, SERVFAIL, "no resolver answers");
    let report = server.report();
    assert_eq!((report.answered, report.forwarded, report.refused), (3, 3, 0));
    server.stop().await;
    assert!(std::net::UdpSocket::bind(address).is_ok());
}

#[tokio::test]
async fn a_place_that_is_taken_is_told_and_tried_again() {
    let (address, other) = (free(), free());
    let taken = std::net::UdpSocket::bind(address).expect("binds");
    let mut server = Server::new(&Environment::real(), BTreeMap::new());
    server.apply(configuration(address, 42, vec![])).await;
    let [fault] = &server.report().faults[..] else { panic!("one fault") };
    assert!(fault.contains(&format!("{address} (UDP)")), "{fault}");
    assert!(ask_connected(address, "web.local").await.ends_with(&[10, 88, 0, 42]));
    drop(taken);
    server.listen();
    assert_eq!(server.report().faults, Vec::<String>::new());
    assert!(ask(address, "web.local").await.ends_with(&[10, 88, 0, 42]));
    server.apply(configuration(other, 44, vec![])).await;
    assert!(ask(other, "web.local").await.ends_with(&[10, 88, 0, 44]));
    assert!(std::net::UdpSocket::bind(address).is_ok(), "it listens there no more");
    server.stop().await;
}
