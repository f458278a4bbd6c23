//! The three files that tell a container who it is and whom to ask: `hostname`, `hosts`, `resolv.conf`.

use std::fmt::Write;
use std::net::Ipv4Addr;

/// Contents of `/etc/hostname`, `/etc/hosts` and `/etc/resolv.conf` for the containers of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskFiles {
    /// `/etc/hostname`
    pub hostname: String,
    /// `/etc/hosts`
    pub hosts: String,
    /// `/etc/resolv.conf`
    pub resolv_conf: String,
}

impl TaskFiles {
    /// For a task of this name and address that asks `name_server`; `extra_hosts` are `extraHosts` of a container.
    pub fn new(
        hostname: &str,
        address: Ipv4Addr,
        name_server: Ipv4Addr,
        search: &[String],
        extra_hosts: &[(String, String)],
    ) -> Self {
        let mut hosts = String::from(
            "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n\
             fe00::\tip6-localnet\nff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n",
        );
        // Writing to a String cannot fail.
        let _ = writeln!(hosts, "{address}\t{hostname}");
        for (name, address) in extra_hosts {
            let _ = writeln!(hosts, "{address}\t{name}");
        }
        let mut resolv_conf = format!("nameserver {name_server}\n");
        if !search.is_empty() {
            let _ = writeln!(resolv_conf, "search {}", search.join(" "));
        }
        resolv_conf.push_str("options timeout:2 attempts:5\n");
        Self { hostname: format!("{hostname}\n"), hosts, resolv_conf }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_name_the_task_and_its_name_server() {
        let files = TaskFiles::new(
            "ip-10-88-0-7.ec2.internal",
            Ipv4Addr::new(10, 88, 0, 7),
            Ipv4Addr::new(10, 88, 0, 1),
            &["ec2.internal".to_owned()],
            &[("db".to_owned(), "10.0.0.9".to_owned())],
        );
        assert_eq!(files.hostname, "ip-10-88-0-7.ec2.internal\n");
        assert!(files.hosts.contains("\n10.88.0.7\tip-10-88-0-7.ec2.internal\n10.0.0.9\tdb\n"));
        assert!(files.resolv_conf.starts_with("nameserver 10.88.0.1\nsearch ec2.internal\n"));
    }
}
