//! The process of the name server: killed, replaced, found again.

use dns_zones::Configuration;
use environment::Environment;
use name_server::NameServer;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

const DEADLINE: Duration = Duration::from_secs(30);

fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_longshore-test-name-server"))
}

/// An address that nobody listens at, with datagrams or connections.
fn free() -> SocketAddr {
    loop {
        let tcp = TcpListener::bind("127.0.0.1:0").expect("binds");
        let address = tcp.local_addr().expect("has one");
        if UdpSocket::bind(address).is_ok() {
            return address;
        }
    }
}

fn query(id: u16, name: &str) -> Vec<u8> {
    let mut query = [&id.to_be_bytes()[..], &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]].concat();
    for label in name.split('.') {
        query.push(label.len() as u8);
        query.extend(label.bytes());
    }
    query.extend([0, 0, 1, 0, 1]);
    query
}

fn ask(server: SocketAddr, name: &str, patience: Duration) -> std::io::Result<Vec<u8>> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(patience))?;
    socket.send_to(&query(7, name), server)?;
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer)?;
    Ok(buffer[..length].to_vec())
}

/// A process with its directory, whose processes end with the test, whether it fails or not.
struct World {
    directory: TempDir,
    address: SocketAddr,
}

impl World {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a directory"), address: free() }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("names")
    }

    async fn start(&self, program: &Path) -> NameServer {
        let started = name_server::start(&self.path(), program.to_owned(), &Environment::real()).await;
        started.expect("starts")
    }

    fn configuration(&self, last: u8, resolvers: Vec<SocketAddr>) -> Configuration {
        let names = BTreeMap::from([("web.local".to_owned(), vec![Ipv4Addr::new(10, 88, 0, last)])]);
        Configuration { listen: vec![self.address], names, resolvers, ..Configuration::default() }
    }

    fn found(&self) -> Option<u8> {
        let answer = ask(self.address, "web.local", Duration::from_millis(200)).ok()?;
        answer.last().copied()
    }

    async fn until(&self, last: u8) {
        let deadline = Instant::now() + DEADLINE;
        while self.found() != Some(last) {
            assert!(Instant::now() < deadline, "{:?} is not {last}", self.found());
            sleep(Duration::from_millis(10)).await;
        }
    }

    fn processes(&self) -> Vec<rustix::process::Pid> {
        let path = self.path();
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let arguments = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let ours = arguments.split(|byte| *byte == 0).any(|own| own == path.as_os_str().as_bytes());
            let pid = entry.file_name().to_string_lossy().parse().ok();
            found.extend(pid.filter(|_| ours).and_then(rustix::process::Pid::from_raw));
        }
        found
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for pid in self.processes() {
            // It may have ended by itself.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_are_answered_while_nobody_is_there_and_after_a_kill() {
    let world = World::new();
    let server = world.start(&program()).await;
    server.apply(&world.configuration(1, vec![])).await.expect("applies");
    assert_eq!(world.found(), Some(1));
    let first = server.pid().await.expect("has one");
    // Who told it has gone, and comes again.
    drop(server);
    assert_eq!(world.found(), Some(1));
    let server = world.start(&program()).await;
    assert_eq!(server.pid().await.expect("has one"), first);
    server.apply(&world.configuration(2, vec![])).await.expect("applies");
    assert_eq!(world.found(), Some(2));
    // It dies, and is started again with what it was told last.
    rustix::process::kill_process(world.processes()[0], rustix::process::Signal::KILL).expect("kills");
    world.until(2).await;
    assert_ne!(server.pid().await.expect("has one"), first);
    server.stop(Duration::ZERO).await.expect("stops");
    assert_eq!((world.found(), world.processes()), (None, vec![]));
}

#[tokio::test]
async fn what_is_on_disk_may_be_broken() {
    let world = World::new();
    std::fs::create_dir(world.path()).expect("makes");
    std::fs::write(world.path().join("configuration.json"), "").expect("writes");
    let server = world.start(&program()).await;
    server.apply(&world.configuration(3, vec![])).await.expect("applies");
    world.until(3).await;
    server.stop(Duration::ZERO).await.expect("stops");
}

#[tokio::test]
async fn names_are_answered_though_the_disk_takes_nothing() {
    let world = World::new();
    // What is to be written there cannot be.
    std::fs::create_dir_all(world.path().join("configuration.json.new")).expect("makes");
    let server = world.start(&program()).await;
    server.apply(&world.configuration(4, vec![])).await.expect("applies");
    world.until(4).await;
    server.stop(Duration::ZERO).await.expect("stops");
}

/// Asks one time after the other until it is told to end; answers how many were answered and how many were not.
fn load(address: SocketAddr, end: Arc<AtomicBool>) -> std::thread::JoinHandle<(u32, u32)> {
    std::thread::spawn(move || {
        let (mut good, mut bad) = (0, 0);
        while !end.load(Relaxed) {
            match ask(address, "web.local", Duration::from_secs(2)) {
                Ok(answer) if answer.ends_with(&[10, 88, 0, 1]) => good += 1,
                _ => bad += 1,
            }
        }
        (good, bad)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_query_is_lost_while_processes_take_over() {
    let world = World::new();
    let slow = UdpSocket::bind("127.0.0.1:0").expect("binds");
    let resolvers = vec![slow.local_addr().expect("has one")];
    // Answers late, when another process has taken over.
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        let (length, from) = slow.recv_from(&mut buffer).expect("a query");
        std::thread::sleep(Duration::from_millis(1500));
        buffer[2] |= 0x80;
        slow.send_to(&buffer[..length], from).expect("sends");
    });
    let server = world.start(&program()).await;
    server.apply(&world.configuration(1, resolvers)).await.expect("applies");
    let end = Arc::new(AtomicBool::new(false));
    let loads: Vec<_> = (0..2).map(|_| load(world.address, end.clone())).collect();
    let address = world.address;
    let late = std::thread::spawn(move || ask(address, "elsewhere.example", DEADLINE));
    sleep(Duration::from_millis(200)).await;
    let mut pids = vec![server.pid().await.expect("has one")];
    for _ in 0..4 {
        server.replace().await.expect("takes over");
        let pid = server.pid().await.expect("has one");
        assert!(!pids.contains(&pid));
        pids.push(pid);
    }
    let late = late.join().expect("joins").expect("is answered");
    assert_eq!(late[3] & 0x0f, 0, "what the first process had in progress came to its end");
    end.store(true, Relaxed);
    for load in loads {
        let (good, bad) = load.join().expect("joins");
        assert!(good > 0 && bad == 0, "{bad} of {}", good + bad);
    }
    // Those before end when they have nothing left.
    let deadline = Instant::now() + DEADLINE;
    while world.processes().len() > 1 {
        assert!(Instant::now() < deadline, "{:?}", world.processes());
        sleep(Duration::from_millis(20)).await;
    }
    // A new file of the program takes over, too.
    let copy = world.directory.path().join("new-program");
    std::fs::copy(program(), &copy).expect("copies");
    drop(server);
    let server = world.start(&copy).await;
    assert!(!pids.contains(&server.pid().await.expect("has one")));
    assert_eq!(world.found(), Some(1));
    server.stop(Duration::ZERO).await.expect("stops");
}
