//! The resolvers that queries are forwarded to: those configured, or those of the host.

use parking_lot::Mutex;
use std::net::{IpAddr, SocketAddr};
use std::time::SystemTime;

const RESOLV_CONF: &str = "/etc/resolv.conf";
/// What the C library reads of that file.
const MAX_RESOLVERS: usize = 3;

pub(crate) struct Resolvers {
    configured: Vec<SocketAddr>,
    /// Our own addresses, which would be asked in a circle.
    own: Vec<IpAddr>,
    read: Mutex<Option<(SystemTime, Vec<SocketAddr>)>>,
}

impl Resolvers {
    pub(crate) fn new(configured: Vec<SocketAddr>, own: Vec<IpAddr>) -> Self {
        Self { configured, own, read: Mutex::new(None) }
    }

    /// The resolvers to ask, in order; the host's file is read again when it has changed.
    pub(crate) fn current(&self) -> Vec<SocketAddr> {
        if !self.configured.is_empty() {
            return self.configured.clone();
        }
        let changed = std::fs::metadata(RESOLV_CONF).and_then(|file| file.modified()).ok();
        let mut read = self.read.lock();
        match (&*read, changed) {
            (Some((when, resolvers)), Some(changed)) if *when == changed => resolvers.clone(),
            (_, Some(changed)) => {
                let text = std::fs::read_to_string(RESOLV_CONF).unwrap_or_default();
                let resolvers = parse(&text, &self.own);
                *read = Some((changed, resolvers.clone()));
                resolvers
            }
            (_, None) => Vec::new(),
        }
    }
}

fn parse(text: &str, own: &[IpAddr]) -> Vec<SocketAddr> {
    text.lines()
        .filter_map(|line| line.trim().strip_prefix("nameserver"))
        .filter_map(|rest| rest.split_whitespace().next()?.parse::<IpAddr>().ok())
        .filter(|address| !own.contains(address))
        .take(MAX_RESOLVERS)
        .map(|address| (address, 53).into())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_file_is_read() {
        let text =
            "# x\nsearch a\nnameserver 10.0.0.1 # y\n nameserver ::1\nnameserver 10.88.0.1\nnameserver z\n";
        let own = [IpAddr::from([10, 88, 0, 1])];
        let expected: Vec<SocketAddr> =
            vec!["10.0.0.1:53".parse().expect("parses"), "[::1]:53".parse().expect("parses")];
        assert_eq!(parse(text, &own), expected);
    }
}
