//! What containers cannot do, and what they get.

use crate::machine::{code, machine};
use container_runtime::{ExecSpec, Mount, MountSource, Phase, Ulimit};
#[cfg(target_arch = "x86_64")]
use std::os::unix::fs::PermissionsExt;

#[tokio::test]
async fn the_filter_and_capabilities_bite() {
    let Some(machine) = machine() else { return };
    let script = "unshare -m true 2>/dev/null && echo bad-unshare; mount -t tmpfs x /tmp 2>/dev/null && echo bad-mount; \
                  cat /proc/self/status | while read k v; do case $k in Seccomp:|NoNewPrivs:|CapEff:|CapBnd:) echo $k $v;; esac; done";
    let (_, lines) = machine.run(machine.container("root", script)).await;
    let mut said = lines;
    said.sort();
    let expected = ["CapBnd: 00000000a80425fb", "CapEff: 00000000a80425fb", "NoNewPrivs: 0", "Seccomp: 2"];
    assert_eq!(said, expected, "as Docker's defaults");
    let mut user = machine.container("user", script);
    user.user = Some("app".to_owned());
    let (_, lines) = machine.run(user).await;
    assert!(lines.contains(&"CapEff: 0000000000000000".to_owned()), "{lines:?}");
    assert!(
        lines.contains(&"Seccomp: 2".to_owned()) && !lines.iter().any(|line| line.starts_with("bad")),
        "{lines:?}"
    );
}

#[tokio::test]
async fn memory_is_limited_and_cannot_be_unlimited() {
    let Some(machine) = machine() else { return };
    let mut spec = machine.container("oom", "dd if=/dev/zero of=/dev/null bs=200M count=1");
    spec.memory = Some(32 << 20);
    let (phase, _) = machine.run(spec).await;
    assert!(matches!(phase, Phase::Exited { code: Some(137), out_of_memory: true, .. }), "{phase:?}");
    let raise = "for f in /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max; do \
                 [ -e $f ] && echo 1073741824 > $f && echo raised; done; mount -o remount,rw /sys/fs/cgroup/memory && echo remounted; true";
    let mut spec = machine.container("raise", raise);
    spec.memory = Some(64 << 20);
    let (_, lines) = machine.run(spec).await;
    assert!(!lines.iter().any(|line| line == "raised" || line == "remounted"), "{lines:?}");
}

#[tokio::test]
async fn a_fork_bomb_ends_at_the_limit() {
    let Some(machine) = machine() else { return };
    let (phase, _) = machine.run(machine.container("bomb", "f() { sleep 1 & f; }; f")).await;
    assert!(code(phase).is_some());
}

#[tokio::test]
async fn read_only_root_limits_directory_and_kernel_settings() {
    let Some(machine) = machine() else { return };
    let script = "touch /x 2>/dev/null && echo written; ulimit -n; pwd; cat /etc/hosts; \
                  echo 1 > /proc/sys/kernel/sysrq && echo sysrq; true";
    let mut spec = machine.container("ro", script);
    spec.readonly_root = true;
    spec.cwd = "/a/b".to_owned();
    spec.ulimits = vec![Ulimit { name: "nofile".into(), soft: 123, hard: 456 }];
    let (_, lines) = machine.run(spec).await;
    let said: Vec<&str> = lines.iter().map(String::as_str).filter(|line| !line.contains("sysrq:")).collect();
    assert_eq!(&said[..3], ["123", "/a/b", "127.0.0.1 localhost"], "{lines:?}");
    assert!(!lines.iter().any(|line| line == "sysrq" || line == "written"));
}

#[tokio::test]
async fn a_program_starts_as_a_container_engine_starts_it() {
    let Some(machine) = machine() else { return };
    let script = "umask; cat /proc/self/status | while read k v; do case $k in SigBlk:|SigIgn:) echo $k $v;; esac; done; \
                  for f in /proc/self/fd/*; do echo fd ${f##*/}; done";
    let (_, lines) = machine.run(machine.container("start", script)).await;
    for wanted in ["0022", "SigBlk: 0000000000000000"] {
        assert!(lines.iter().any(|line| line == wanted), "{wanted} in {lines:?}");
    }
    let ignored = lines.iter().find_map(|line| line.strip_prefix("SigIgn: ")).expect("a line");
    // Bits of the two signals that belong to the C library stay as they were.
    let ignored = u64::from_str_radix(ignored, 16).expect("a number") & !0x1_8000_0000;
    assert_eq!(ignored, 0, "ignored signals are inherited");
    // 3 is the shell's own, with which it lists the directory.
    let many = lines.iter().filter(|line| line.starts_with("fd ")).count();
    assert!(many <= 4, "descriptors are inherited: {lines:?}");
}

#[tokio::test]
async fn devices_of_the_host_are_out_of_reach() {
    let Some(machine) = machine() else { return };
    // The machine's memory and any disk, made by the container's root, who may make nodes.
    let script = "busybox mknod /tmp/mem c 1 1; busybox mknod /dev/disk b 254 0; busybox mknod /tmp/disk b 254 0; \
                  for f in /tmp/mem /tmp/disk /dev/disk; do dd if=$f of=/dev/null bs=1 count=1 2>/dev/null && echo read $f; done; \
                  dd if=/dev/zero of=/dev/null bs=1 count=1 2>/dev/null && echo zero";
    let (_, lines) = machine.run(machine.container("devices", script)).await;
    assert!(!lines.iter().any(|line| line.starts_with("read")), "{lines:?}");
    assert!(lines.iter().any(|line| line == "zero"), "{lines:?}");
}

#[tokio::test]
async fn a_read_only_volume_cannot_be_written() {
    let Some(machine) = machine() else { return };
    let volume = machine.dir.path().join("volume");
    std::fs::create_dir_all(&volume).expect("makes");
    let mount = |target: &str, read_only| Mount {
        source: MountSource::Host(volume.clone()),
        target: target.into(),
        read_only,
    };
    let mut spec = machine.container("v", "echo x > /rw/f && cat /ro/f; touch /ro/g 2>/dev/null && echo bad");
    spec.mounts = vec![mount("/rw", false), mount("/ro", true)];
    let (_, lines) = machine.run(spec).await;
    assert_eq!(lines, ["x"]);
}

#[tokio::test]
async fn commands_are_confined_like_their_container() {
    let Some(machine) = machine() else { return };
    let sandbox = machine.create("s").await;
    let mut spec = machine.container("a", "exec sleep 600");
    spec.cap_drop = vec!["ALL".to_owned()];
    spec.memory = Some(64 << 20);
    sandbox.start(&spec).await.expect("starts");
    let script = "cat /proc/self/status | while read k v; do \
                  case $k in Seccomp:|CapEff:|CapBnd:|SigBlk:) echo $k $v;; esac; done; \
                  unshare -m true 2>/dev/null && echo bad; cat /proc/self/cgroup";
    let exec = ExecSpec { argv: ["sh", "-c", script].map(str::to_owned).to_vec(), timeout_ms: 10_000 };
    let output = sandbox.exec("a", &exec).await.expect("executes").output;
    // On version 2 it sees groups from the container's own on.
    let v2 = std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    let group = if v2 { "0::/\n".to_owned() } else { format!("/{}/s/a", machine.group) };
    for wanted in [
        "CapBnd: 0000000000000000",
        "CapEff: 0000000000000000",
        "Seccomp: 2",
        "SigBlk: 0000000000000000",
        &group,
    ] {
        assert!(output.contains(wanted), "{wanted} in {output}");
    }
    assert!(!output.contains("bad"), "{output}");
    machine.runtime.remove("s").await.expect("removes");
    machine.assert_clean();
}

#[tokio::test]
async fn what_is_the_machines_is_refused() {
    let Some(machine) = machine() else { return };
    let sandbox = machine.create("s").await;
    let mut setting = machine.container("a", "true");
    setting.sysctls = vec![("kernel.panic".to_owned(), "1".to_owned())];
    let mut mount = machine.container("a", "true");
    mount.mounts = vec![Mount {
        source: MountSource::Host(machine.dir.path().into()),
        target: "/proc/sys".into(),
        read_only: false,
    }];
    for (spec, text) in [(setting, "kernel.panic"), (mount, "/proc/sys")] {
        let error = sandbox.start(&spec).await.expect_err("refused").to_string();
        assert!(error.contains(text), "{error}");
    }
    machine.runtime.remove("s").await.expect("removes");
    machine.assert_clean();
}

/// A program of 32 bits: it says `32`, and exits with what unshare(CLONE_NEWUSER) failed with plus eight times what
/// socket(AF_ALG) failed with.
#[cfg(target_arch = "x86_64")]
fn program_of_32_bits() -> Vec<u8> {
    // The file's header, and one that loads all of it at 0x8048000.
    let mut program = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    for half in [2u16, 3, 1, 0] {
        program.extend(half.to_le_bytes());
    }
    for word in [0x0804_8054u32, 52, 0, 0] {
        program.extend(word.to_le_bytes());
    }
    for half in [52u16, 32, 1, 0, 0, 0] {
        program.extend(half.to_le_bytes());
    }
    for word in [1u32, 0, 0x0804_8000, 0x0804_8000, 160, 160, 5, 0x1000] {
        program.extend(word.to_le_bytes());
    }
    program.extend(CODE_OF_32_BITS);
    program
}

#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const CODE_OF_32_BITS: [u8; 76] = [
    // write(1, "32\n", 3)
    0xb8, 4, 0, 0, 0, 0xbb, 1, 0, 0, 0, 0xb9, 0x9d, 0x80, 0x04, 0x08, 0xba, 3, 0, 0, 0, 0xcd, 0x80,
    // esi = -unshare(CLONE_NEWUSER)
    0xb8, 0x36, 0x01, 0, 0, 0xbb, 0, 0, 0, 0x10, 0xcd, 0x80, 0xf7, 0xd8, 0x89, 0xc6,
    // eax = -socket(AF_ALG, SOCK_SEQPACKET, 0)
    0xb8, 0x67, 0x01, 0, 0, 0xbb, 0x26, 0, 0, 0, 0xb9, 5, 0, 0, 0, 0x31, 0xd2, 0xcd, 0x80, 0xf7, 0xd8,
    // exit(8 * eax + esi)
    0xc1, 0xe0, 3, 0x01, 0xf0, 0x89, 0xc3, 0xb8, 1, 0, 0, 0, 0xcd, 0x80, b'3', b'2', b'\n',
];

#[cfg(target_arch = "x86_64")]
#[tokio::test]
async fn programs_of_32_bits_run_under_the_same_filter() {
    let Some(machine) = machine() else { return };
    let program = machine.dir.path().join("layer/bin/32");
    std::fs::write(&program, program_of_32_bits()).expect("writes");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("sets");
    if let Err(error) = std::process::Command::new(&program).output() {
        eprintln!("skipped: this kernel runs no programs of 32 bits: {error}");
        return;
    }
    let mut spec = machine.container("a", "");
    spec.argv = vec!["/bin/32".to_owned()];
    let (phase, lines) = machine.run(spec).await;
    assert_eq!(lines, ["32"]);
    // EPERM, twice.
    assert_eq!(code(phase), Some(9));
}
