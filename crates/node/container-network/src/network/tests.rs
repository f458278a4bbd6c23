//! Networks on a host of their own: each test's thread lives in a namespace that stands for the machine, so that
//! tests meet neither each other nor the real one. They need root.

use super::*;
use crate::rules::{Other, Permit, Policy, Traffic};
use nix::sched::{CloneFlags, setns, unshare};
use std::fs::File;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(10);

/// Runs a test on a host of its own.
pub(crate) fn on_a_host<F: Future<Output = ()>>(test: impl FnOnce(PathBuf) -> F + Send + 'static) {
    let host = std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).expect("needs root");
        Netlink::open().and_then(|mut netlink| netlink.set_up(1, None)).expect("loopback");
        let directory = tempfile::tempdir().expect("a directory");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(test(directory.path().join("netns")));
        drop(runtime);
        let mounts = std::fs::read_to_string("/proc/self/mounts").expect("readable");
        let ours = directory.path().to_string_lossy().into_owned();
        assert!(!mounts.contains(&ours), "a namespace is still mounted");
    });
    host.join().expect("the test holds");
}

/// Runs `work` on a thread in the namespace mounted at `path`.
pub(crate) fn inside<T: Send + 'static>(path: &Path, work: impl FnOnce() -> T + Send + 'static) -> T {
    let namespace = File::open(path).expect("a namespace");
    std::thread::spawn(move || {
        setns(&namespace, CloneFlags::CLONE_NEWNET).expect("joins");
        work()
    })
    .join()
    .expect("works")
}

pub(crate) fn config(bridge: &str, subnet: &str, directory: &Path) -> NetworkConfig {
    NetworkConfig {
        bridge: bridge.to_owned(),
        subnet: subnet.parse().expect("a subnet"),
        mtu: 0,
        directory: directory.to_owned(),
    }
}

pub(crate) fn task(id: &str, address: &str) -> SandboxNetworkSpec {
    SandboxNetworkSpec {
        id: id.to_owned(),
        address: address.parse().expect("an address"),
        gateway: None,
        mac: None,
    }
}

/// A network whose first thousand addresses reach each other and everything, and are reached by everybody.
pub(crate) async fn open(settings: NetworkConfig) -> Network {
    let rules = open_rules(settings.subnet);
    let network = Network::start(settings).await.expect("starts");
    network.set_rules(rules).await.expect("sets");
    network
}

pub(crate) fn open_rules(subnet: Subnet) -> Rules {
    let first = subnet.network().to_bits();
    let members = (first..first + 1024).map(Ipv4Addr::from_bits).filter(|address| subnet.is_host(*address));
    let permits = vec![permit("0.0.0.0/0", Traffic::All)];
    Rules {
        members: members.clone().map(|address| (address, 0)).collect(),
        policies: vec![Policy { realm: 0, leaves: true, ingress: permits.clone(), egress: permits }],
        realms: vec![members.collect()],
        ..Rules::default()
    }
}

fn permit(range: &str, traffic: Traffic) -> Permit {
    Permit { other: Other::Range(range.parse().expect("a range")), traffic }
}

/// Listens in a namespace and answers one connection with the address it came from.
fn echo_peer(path: &Path) -> (std::thread::JoinHandle<()>, u16) {
    let namespace = File::open(path).expect("a namespace");
    let (sender, port) = std::sync::mpsc::channel();
    let server = std::thread::spawn(move || {
        setns(&namespace, CloneFlags::CLONE_NEWNET).expect("joins");
        let listener = TcpListener::bind("0.0.0.0:0").expect("binds");
        sender.send(listener.local_addr().expect("bound").port()).expect("sends");
        let (mut stream, peer) = listener.accept().expect("accepts");
        stream.write_all(peer.ip().to_string().as_bytes()).expect("writes");
    });
    (server, port.recv().expect("a port"))
}

fn peer_seen_at(address: Ipv4Addr, port: u16) -> IpAddr {
    let mut stream = TcpStream::connect_timeout(&(address, port).into(), PATIENCE).expect("connects");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("reads");
    text.parse().expect("an address")
}

pub(crate) fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().expect(program);
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn tasks_reach_each_other_and_the_host_reaches_them() {
    on_a_host(|directory| async move {
        let network = open(config("lsa", "10.88.0.0/16", &directory)).await;
        let one = network.attach(&task("one", "10.88.0.7")).await.expect("attaches");
        let spec =
            SandboxNetworkSpec { mac: Some("0e:00:00:00:00:09".to_owned()), ..task("two", "10.88.3.9") };
        let two = network.attach(&spec).await.expect("attaches");
        assert_eq!((one.mac.as_str(), two.mac.as_str()), ("0a:58:0a:58:00:07", "0e:00:00:00:00:09"));
        assert_eq!(one.gateway, network.gateway());

        let (server, port) = echo_peer(&two.path);
        let seen = inside(&one.path, move || peer_seen_at(two.address, port));
        assert_eq!(seen, IpAddr::V4(one.address));
        server.join().expect("served");
        let (server, port) = echo_peer(&one.path);
        assert_eq!(peer_seen_at(one.address, port), IpAddr::V4(network.gateway()));
        server.join().expect("served");
        // Localhost is the task's own, and low ports need no privilege.
        inside(&one.path, || TcpListener::bind("127.0.0.1:80").map(drop).expect("binds"));
        let parameter = inside(&one.path, || {
            std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").expect("reads")
        });
        assert_eq!(parameter.trim(), "0");

        // Attached again: the same. With another address: made anew.
        assert_eq!(network.attach(&task("one", "10.88.0.7")).await.expect("attaches"), one);
        let moved = network.attach(&task("one", "10.88.0.8")).await.expect("attaches");
        let (server, port) = echo_peer(&moved.path);
        assert_eq!(peer_seen_at(moved.address, port), IpAddr::V4(network.gateway()));
        server.join().expect("served");

        assert_eq!(network.list().await.expect("lists"), ["one", "two"]);
        assert!(!network.stop().await.expect("stops"), "tasks keep their bridge");
        network.detach("one").await.expect("detaches");
        network.detach("one").await.expect("detaches again");
        network.detach("two").await.expect("detaches");
        assert!(network.stop().await.expect("stops"));
        let links = Netlink::open().expect("opens").links().expect("lists");
        let left: Vec<_> = links.iter().filter(|link| link.name.starts_with("ls")).collect();
        assert!(left.is_empty(), "{left:?}");
        assert!(!output("nft", &["list", "ruleset"]).contains("longshore"));
        assert!(!directory.exists());
    });
}

#[test]
fn a_restart_takes_over() {
    on_a_host(|directory| async move {
        let settings = config("lsa", "10.88.0.0/16", &directory);
        let first = open(settings.clone()).await;
        let one = first.attach(&task("one", "10.88.0.7")).await.expect("attaches");
        // Killed, not stopped.
        drop(first);
        let deadline = Instant::now() + PATIENCE;
        let second = loop {
            match Network::start(settings.clone()).await {
                Ok(network) => break network,
                Err(error) => assert!(Instant::now() < deadline, "{error:?}"),
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(second.list().await.expect("lists"), ["one"]);
        // The rules of before hold until there are others.
        let (server, port) = echo_peer(&one.path);
        assert_eq!(peer_seen_at(one.address, port), IpAddr::V4(second.gateway()));
        server.join().expect("served");
        second.set_rules(open_rules(settings.subnet)).await.expect("sets");
        assert_eq!(second.attach(&task("one", "10.88.0.7")).await.expect("attaches"), one);
        let (server, port) = echo_peer(&one.path);
        assert_eq!(peer_seen_at(one.address, port), IpAddr::V4(second.gateway()));
        server.join().expect("served");
        // A half-made one: the mount is gone, the cable is not.
        namespace::unmount(&one.path).expect("unmounts");
        assert_eq!(second.list().await.expect("lists"), ["one"]);
        second.attach(&task("one", "10.88.0.7")).await.expect("made whole");
        second.detach("one").await.expect("detaches");
        assert_eq!(second.list().await.expect("lists"), Vec::<String>::new());
        assert!(second.stop().await.expect("stops"));
    });
}

#[test]
fn two_networks_side_by_side_translate_addresses_past_a_dropping_firewall() {
    on_a_host(|directory| async move {
        output("iptables", &["-P", "FORWARD", "DROP"]);
        output("nft", &["add table inet strict"]);
        output("nft", &["add chain inet strict pass { type filter hook forward priority 5; policy drop; }"]);
        let inner = open(config("lsa", "10.88.0.0/16", &directory)).await;
        let outer = open(config("lsb", "198.18.1.0/24", &directory)).await;
        let again = open(config("lsc", "198.18.2.0/24", &directory)).await;
        assert!(again.stop().await.expect("stops"));
        let one = inner.attach(&task("one", "10.88.0.7")).await.expect("attaches");
        let outside = outer.attach(&task("outside", "198.18.1.2")).await.expect("attaches");
        assert_eq!(inner.list().await.expect("lists"), ["one"]);
        let (server, port) = echo_peer(&outside.path);
        let refused = inside(&one.path, move || {
            TcpStream::connect_timeout(&(outside.address, port).into(), Duration::from_millis(300)).is_err()
        });
        assert!(refused, "another region's task is out of reach");
        // Without its protection it stands for the world outside.
        output("nft", &["delete table ip longshore-lsb"]);
        let seen = inside(&one.path, move || peer_seen_at(outside.address, port));
        assert_eq!(seen, IpAddr::V4(outer.gateway()), "the outside sees the host");
        server.join().expect("served");
        let rules = || output("nft", &["list", "ruleset"]).matches("longshore-lsa").count();
        let before = rules();
        let restarted = prepare(
            &config("lsa", "10.88.0.0/16", &directory),
            &Firewall::new("lsa", "10.88.0.0/16".parse().expect("one")),
        );
        restarted.expect("applies again");
        assert_eq!(rules(), before, "rules are not piled up");
        inner.detach("one").await.expect("detaches");
        outer.detach("outside").await.expect("detaches");
        assert!(inner.stop().await.expect("stops") && outer.stop().await.expect("stops"));
        let left = output("nft", &["list", "ruleset"]);
        assert!(!left.contains("longshore"), "{left}");
    });
}

#[test]
fn what_cannot_work_is_refused() {
    on_a_host(|directory| async move {
        for (bridge, subnet, mtu) in [
            ("", "10.88.0.0/16", 0),
            ("a/b", "10.88.0.0/16", 0),
            ("ls", "10.88.0.0/30", 0),
            ("ls", "10.0.0.0/8", 70),
        ] {
            let settings = NetworkConfig { mtu, ..config(bridge, subnet, &directory) };
            assert!(
                matches!(Network::start(settings).await, Err(NetworkError::Config(_))),
                "{bridge} {subnet}"
            );
        }
        let network = open(config("lsa", "10.88.0.0/16", &directory)).await;
        for id in ["", "../x", "a/b", ".x", "a b"] {
            let refused = network.attach(&task(id, "10.88.0.7")).await;
            assert!(matches!(refused, Err(NetworkError::Id(_))), "{id:?}");
        }
        for address in ["10.88.0.0", "10.88.0.1", "10.88.255.255", "10.89.0.7"] {
            let refused = network.attach(&task("x", address)).await;
            assert!(matches!(refused, Err(NetworkError::Address(..))), "{address}");
        }
        let spec = SandboxNetworkSpec { mac: Some("nonsense".to_owned()), ..task("x", "10.88.0.7") };
        assert!(matches!(network.attach(&spec).await, Err(NetworkError::Mac(_))));
        assert!(network.list().await.expect("lists").is_empty());
        assert!(network.stop().await.expect("stops"));
    });
}

#[test]
fn many_at_once() {
    on_a_host(|directory| async move {
        let network = open(config("lsa", "10.88.0.0/16", &directory)).await;
        let begun = Instant::now();
        let tasks: Vec<_> = (0..20)
            .map(|number| {
                let network = network.clone();
                tokio::spawn(async move {
                    network.attach(&task(&format!("t{number}"), &format!("10.88.1.{}", number + 2))).await
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("runs").expect("attaches");
        }
        println!("20 attached in {:?}", begun.elapsed());
        let mut alone = Vec::new();
        for number in 0..10 {
            let begun = Instant::now();
            network
                .attach(&task(&format!("a{number}"), &format!("10.88.2.{}", number + 2)))
                .await
                .expect("attaches");
            alone.push(begun.elapsed());
        }
        alone.sort();
        println!("attached alone in {:?} at the median, {:?} to {:?}", alone[5], alone[0], alone[9]);
        let detached: Vec<_> = network
            .list()
            .await
            .expect("lists")
            .into_iter()
            .map(|id| {
                let network = network.clone();
                tokio::spawn(async move { network.detach(&id).await })
            })
            .collect();
        assert_eq!(detached.len(), 30);
        for task in detached {
            task.await.expect("runs").expect("detaches");
        }
        assert!(network.stop().await.expect("stops"));
    });
}

#[test]
fn mac_addresses() {
    assert_eq!(parse_mac("0A:58:0a:58:00:07"), Some([0x0a, 0x58, 0x0a, 0x58, 0, 7]));
    for text in
        ["", "0a:58:0a:58:00", "0a:58:0a:58:00:07:08", "01:00:00:00:00:01", "00:00:00:00:00:00", "+1:0:0"]
    {
        assert_eq!(parse_mac(text), None, "{text}");
    }
}

/// Whether a connection from a namespace, or from the machine, comes about. What is not let through is dropped, so
/// nobody answers.
fn reaches(from: Option<&Path>, address: Ipv4Addr, port: u16) -> bool {
    let connect =
        move || TcpStream::connect_timeout(&(address, port).into(), Duration::from_millis(400)).is_ok();
    match from {
        Some(path) => inside(path, connect),
        None => connect(),
    }
}

/// Accepts connections at a port of a namespace for as long as it exists.
fn serve(path: &Path, port: u16) {
    let listener = inside(path, move || TcpListener::bind(("0.0.0.0", port)).expect("binds"));
    std::thread::spawn(move || while listener.accept().is_ok() {});
}

#[test]
fn nothing_passes_but_what_rules_permit() {
    on_a_host(|directory| async move {
        let settings = config("lsa", "10.88.0.0/16", &directory);
        let network = open(settings.clone()).await;
        let address = |last: u8| Ipv4Addr::new(10, 88, 0, last);
        let mut paths = Vec::new();
        for last in 4..8 {
            let made = network.attach(&task(&format!("t{last}"), &address(last).to_string())).await;
            paths.push(made.expect("attaches").path);
            serve(&paths[usize::from(last) - 4], 80);
            serve(&paths[usize::from(last) - 4], 81);
        }
        let all_out = vec![permit("0.0.0.0/0", Traffic::All)];
        let web = Policy { realm: 0, leaves: true, ingress: vec![], egress: all_out.clone() };
        // 4: lets port 80 in from the group of 5. 5: lets nothing in. 6: lets all in, nothing out. 7: another realm.
        let from_group = Permit { other: Other::Group(0), traffic: Traffic::Tcp(80, 80) };
        let mut rules = Rules {
            members: (4..8).map(|last| (address(last), usize::from(last) - 4)).collect(),
            policies: vec![
                Policy { ingress: vec![from_group], ..web.clone() },
                web.clone(),
                Policy { ingress: all_out.clone(), egress: vec![], ..web.clone() },
                Policy { realm: 1, ingress: all_out.clone(), ..web.clone() },
            ],
            groups: vec![BTreeSet::from([address(5)])],
            realms: vec![(4..7).map(address).collect(), BTreeSet::from([address(7)])],
            ..Rules::default()
        };
        network.set_rules(rules.clone()).await.expect("sets");
        let seen = |from: usize, to: u8, port| reaches(Some(&paths[from]), address(to), port);
        assert!(seen(1, 4, 80), "by group and port");
        assert!(!seen(1, 4, 81), "another port");
        assert!(!reaches(None, address(4), 80), "the machine is not of the group");
        assert!(reaches(None, address(6), 80), "it is let in where everybody is");
        assert!(seen(0, 6, 81) && !seen(0, 5, 80), "ingress of the other side");
        assert!(!seen(2, 4, 80) && !seen(2, 7, 80), "nothing is let out");
        assert!(!seen(0, 7, 80) && !seen(3, 6, 80), "realms are apart");
        assert!(reaches(None, address(7), 80), "the machine is everybody's gateway");

        // A member comes and goes: only elements change. Answers of what is established pass.
        rules.groups[0].insert(address(6));
        rules.policies[2].egress.clone_from(&all_out);
        network.set_rules(rules.clone()).await.expect("sets");
        assert!(seen(2, 4, 80));
        rules.groups[0].remove(&address(6));
        network.set_rules(rules.clone()).await.expect("sets");
        assert!(!seen(2, 4, 80));
        rules.members.insert(address(5), 2);
        network.set_rules(rules.clone()).await.expect("sets");
        assert!(seen(0, 5, 80), "a member with another policy");
        // Somebody else flushes our table: the next change writes it whole.
        output("nft", &["delete", "table", "ip", "longshore-lsa"]);
        rules.members.insert(address(5), 1);
        network.set_rules(rules.clone()).await.expect("sets");
        assert!(!seen(0, 5, 80) && seen(1, 4, 80));

        // From another address than one's own nothing is sent, whatever that address may do.
        rules.members.insert(address(99), 3);
        rules.realms[0].insert(address(99));
        network.set_rules(rules.clone()).await.expect("sets");
        let hears = |from: Ipv4Addr| {
            let socket = inside(&paths[2], || UdpSocket::bind("0.0.0.0:82").expect("binds"));
            socket.set_read_timeout(Some(Duration::from_millis(400))).expect("set");
            inside(&paths[0], move || {
                let mut kernel = Netlink::open().expect("opens");
                let index = kernel.link("eth0").expect("asks").expect("is there");
                kernel.add_address(index, from, 16, None).expect("adds");
                let own = UdpSocket::bind((from, 0)).expect("binds");
                own.send_to(b"x", (address(6), 82)).expect("sends");
            });
            socket.recv(&mut [0; 8]).is_ok()
        };
        assert!(hears(address(4)) && !hears(address(99)));
        for last in 4..8 {
            network.detach(&format!("t{last}")).await.expect("detaches");
        }
        assert!(network.stop().await.expect("stops"));
        assert!(!output("nft", &["list", "ruleset"]).contains("longshore"));
    });
}

#[test]
fn subnets_beside_the_networks_own_have_their_gateways() {
    on_a_host(|directory| async move {
        let settings = config("lsa", "10.88.0.0/16", &directory);
        let network = open(settings.clone()).await;
        let other: Subnet = "192.168.77.0/24".parse().expect("a subnet");
        let within: Subnet = "10.88.16.0/20".parse().expect("a subnet");
        let mut rules = open_rules(settings.subnet);
        for address in ["192.168.77.9", "10.88.16.9"] {
            let address: Ipv4Addr = address.parse().expect("an address");
            rules.members.insert(address, 0);
            rules.realms[0].insert(address);
        }
        rules.networks = BTreeSet::from([(other, other.gateway()), (within, within.gateway())]);
        network.set_rules(rules.clone()).await.expect("sets");
        let at = |id: &str, address: &str, subnet: Subnet| SandboxNetworkSpec {
            gateway: Some((subnet.gateway(), subnet.prefix())),
            ..task(id, address)
        };
        let far = network.attach(&at("far", "192.168.77.9", other)).await.expect("attaches");
        let near = network.attach(&at("near", "10.88.16.9", within)).await.expect("attaches");
        let (server, port) = echo_peer(&far.path);
        let seen = inside(&near.path, move || peer_seen_at(far.address, port));
        assert_eq!(seen, IpAddr::V4(near.address));
        server.join().expect("served");
        let (server, port) = echo_peer(&far.path);
        assert_eq!(peer_seen_at(far.address, port), IpAddr::V4(other.gateway()));
        server.join().expect("served");
        let (server, port) = echo_peer(&near.path);
        assert_eq!(
            peer_seen_at(near.address, port),
            IpAddr::V4(network.gateway()),
            "the machine is one address"
        );
        server.join().expect("served");
        for id in ["far", "near"] {
            network.detach(id).await.expect("detaches");
        }
        rules.networks.clear();
        network.set_rules(rules).await.expect("sets");
        assert!(!output("ip", &["-4", "addr", "show", "dev", "lsa"]).contains("192.168.77"));
        assert!(network.stop().await.expect("stops"));
    });
}
