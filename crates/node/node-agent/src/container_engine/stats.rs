//! Measures a container from its control groups, found by its first process. All of it blocks, for microseconds.

use crate::engine::stats::{
    BlockIo, BlockIoStats, CpuStats, CpuUsage, MemoryStats, NetworkStats, PidsStats, Stats, ThrottlingData,
};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const CGROUPS: &str = "/sys/fs/cgroup";
/// Nanoseconds of the kernel's unit of time in its text files.
const TICK_NANOS: u64 = 10_000_000;
/// The task's interface; others in its namespace are the agent's and its own loopback.
const TASK_INTERFACE: &str = "eth0";

/// Measures the container whose first process is `pid`.
pub(super) fn measure(pid: i32) -> io::Result<Stats> {
    let membership = fs::read_to_string(format!("/proc/{pid}/cgroup"))?;
    let mut stats = match unified(&membership) {
        Some(group) => version_2(&group)?,
        None => version_1(&membership)?,
    };
    stats.networks = networks(&fs::read_to_string(format!("/proc/{pid}/net/dev"))?);
    let system = fs::read_to_string("/proc/stat")?;
    stats.cpu.system_cpu_usage = system_time(&system);
    stats.cpu.online_cpus = system.lines().skip(1).take_while(|line| line.starts_with("cpu")).count() as u32;
    let machine = machine_memory(&fs::read_to_string("/proc/meminfo")?);
    stats.memory.limit = stats.memory.limit.min(machine);
    Ok(stats)
}

/// The group's folder on machines with version 2 alone.
fn unified(membership: &str) -> Option<PathBuf> {
    let group = membership.lines().find_map(|line| line.strip_prefix("0::"))?;
    let pure = Path::new(CGROUPS).join("cgroup.controllers").exists();
    pure.then(|| Path::new(CGROUPS).join(group.trim_start_matches('/')))
}

/// The group's folder in the hierarchy of a controller of version 1.
fn folder(membership: &str, controller: &str) -> io::Result<PathBuf> {
    let group = membership.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, group) = rest.split_once(':')?;
        controllers.split(',').any(|name| name == controller).then_some(group)
    });
    let group = group.ok_or_else(|| io::Error::other(format!("no control group of {controller}")))?;
    Ok(Path::new(CGROUPS).join(controller).join(group.trim_start_matches('/')))
}

fn version_1(membership: &str) -> io::Result<Stats> {
    let (time, cpu) = (folder(membership, "cpuacct")?, folder(membership, "cpu")?);
    let (memory, pids) = (folder(membership, "memory")?, folder(membership, "pids")?);
    let ticks = figures(&fs::read_to_string(time.join("cpuacct.stat"))?);
    let ticks = |name: &str| ticks.get(name).copied().unwrap_or(0) * TICK_NANOS;
    let figures_of_memory = figures(&fs::read_to_string(memory.join("memory.stat"))?);
    let limit = figures_of_memory.get("hierarchical_memory_limit").copied().unwrap_or(u64::MAX);
    let block = |file: &str| -> Vec<BlockIo> {
        // Machines may lack the controller; then nothing is known.
        let read = folder(membership, "blkio").and_then(|blkio| fs::read_to_string(blkio.join(file)));
        read.map(|text| block_io(&text)).unwrap_or_default()
    };
    Ok(Stats {
        cpu: CpuStats {
            cpu_usage: CpuUsage {
                total_usage: number(&time.join("cpuacct.usage"))?,
                percpu_usage: fs::read_to_string(time.join("cpuacct.usage_percpu"))?
                    .split_whitespace()
                    .filter_map(|text| text.parse().ok())
                    .collect(),
                usage_in_kernelmode: ticks("system"),
                usage_in_usermode: ticks("user"),
            },
            throttling_data: throttling(&cpu, "throttled_time", 1)?,
            ..CpuStats::default()
        },
        memory: MemoryStats {
            usage: number(&memory.join("memory.usage_in_bytes"))?,
            max_usage: Some(number(&memory.join("memory.max_usage_in_bytes"))?),
            stats: figures_of_memory,
            limit,
        },
        pids: pids_of(&pids)?,
        block_io: BlockIoStats {
            io_service_bytes_recursive: block("blkio.throttle.io_service_bytes_recursive"),
            io_serviced_recursive: block("blkio.throttle.io_serviced_recursive"),
        },
        networks: BTreeMap::new(),
    })
}

fn version_2(group: &Path) -> io::Result<Stats> {
    let time = figures(&fs::read_to_string(group.join("cpu.stat"))?);
    let nanos = |name: &str| time.get(name).copied().unwrap_or(0) * 1000;
    let io = fs::read_to_string(group.join("io.stat")).unwrap_or_default();
    Ok(Stats {
        cpu: CpuStats {
            cpu_usage: CpuUsage {
                total_usage: nanos("usage_usec"),
                percpu_usage: Vec::new(),
                usage_in_kernelmode: nanos("system_usec"),
                usage_in_usermode: nanos("user_usec"),
            },
            throttling_data: throttling(group, "throttled_usec", 1000)?,
            ..CpuStats::default()
        },
        memory: MemoryStats {
            usage: number(&group.join("memory.current"))?,
            max_usage: number(&group.join("memory.peak")).ok(),
            stats: figures(&fs::read_to_string(group.join("memory.stat"))?),
            limit: least_limit(group),
        },
        pids: pids_of(group)?,
        block_io: BlockIoStats {
            io_service_bytes_recursive: device_io(&io, &[("rbytes", "Read"), ("wbytes", "Write")]),
            io_serviced_recursive: device_io(&io, &[("rios", "Read"), ("wios", "Write")]),
        },
        networks: BTreeMap::new(),
    })
}

/// The least limit of a group of version 2 and those above it.
fn least_limit(group: &Path) -> u64 {
    let above = group.ancestors().take_while(|folder| folder.starts_with(CGROUPS));
    above.filter_map(|folder| number(&folder.join("memory.max")).ok()).min().unwrap_or(u64::MAX)
}

fn throttling(group: &Path, time: &str, factor: u64) -> io::Result<ThrottlingData> {
    let figures = figures(&fs::read_to_string(group.join("cpu.stat"))?);
    let figure = |name: &str| figures.get(name).copied().unwrap_or(0);
    Ok(ThrottlingData {
        periods: figure("nr_periods"),
        throttled_periods: figure("nr_throttled"),
        throttled_time: figure(time) * factor,
    })
}

fn pids_of(group: &Path) -> io::Result<PidsStats> {
    // `max` is no number: then there is no limit of its own.
    Ok(PidsStats {
        current: number(&group.join("pids.current"))?,
        limit: number(&group.join("pids.max")).ok(),
    })
}

fn number(path: &Path) -> io::Result<u64> {
    let text = fs::read_to_string(path)?;
    text.trim().parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not a number"))
}

/// Lines of a name and a number.
fn figures(text: &str) -> BTreeMap<String, u64> {
    let figure = |line: &str| {
        let (name, value) = line.split_once(' ')?;
        Some((name.to_owned(), value.trim().parse().ok()?))
    };
    text.lines().filter_map(figure).collect()
}

/// `8:0 Read 4096`; the line of totals has no device.
fn block_io(text: &str) -> Vec<BlockIo> {
    let line = |line: &str| {
        let mut parts = line.split_whitespace();
        let (major, minor) = parts.next()?.split_once(':')?;
        let op = parts.next()?.to_owned();
        let value = parts.next()?.parse().ok()?;
        Some(BlockIo { major: major.parse().ok()?, minor: minor.parse().ok()?, op, value })
    };
    text.lines().filter_map(line).collect()
}

/// `8:0 rbytes=4096 wbytes=0 rios=1 wios=0 …`
fn device_io(text: &str, wanted: &[(&str, &str)]) -> Vec<BlockIo> {
    let mut all = Vec::new();
    for line in text.lines() {
        let Some((device, rest)) = line.split_once(' ') else { continue };
        let Some((major, minor)) = device.split_once(':') else { continue };
        let (Ok(major), Ok(minor)) = (major.parse(), minor.parse()) else { continue };
        for (name, op) in wanted {
            let value =
                rest.split(' ').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')?.parse().ok());
            all.extend(value.map(|value| BlockIo { major, minor, op: (*op).to_owned(), value }));
        }
    }
    all
}

/// `/proc/net/dev` of the task.
fn networks(text: &str) -> BTreeMap<String, NetworkStats> {
    let interface = |line: &str| {
        let (name, rest) = line.split_once(':')?;
        let figures: Vec<u64> = rest.split_whitespace().filter_map(|text| text.parse().ok()).collect();
        let [rx_bytes, rx_packets, rx_errors, rx_dropped, ..] = *figures else { return None };
        let [tx_bytes, tx_packets, tx_errors, tx_dropped, ..] = *figures.get(8..)? else { return None };
        let stats = NetworkStats {
            rx_bytes,
            rx_packets,
            rx_errors,
            rx_dropped,
            tx_bytes,
            tx_packets,
            tx_errors,
            tx_dropped,
        };
        Some((name.trim().to_owned(), stats))
    };
    text.lines().filter_map(interface).filter(|(name, _)| name == TASK_INTERFACE).collect()
}

/// Nanoseconds of all processors: user, nice, system, idle, waiting, interrupts, stolen.
fn system_time(stat: &str) -> u64 {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu ")).unwrap_or_default();
    line.split_whitespace().take(8).filter_map(|text| text.parse::<u64>().ok()).sum::<u64>() * TICK_NANOS
}

fn machine_memory(meminfo: &str) -> u64 {
    let kib = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next());
    kib.and_then(|text| text.parse::<u64>().ok()).map_or(u64::MAX, |kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_texts_are_read() {
        let text = "Inter-|   Receive                                                |  Transmit\n face |bytes\n\
                    \x20   lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n  eth0: 10 2 3 4 0 0 0 0 50 6 7 8 0 0 0 0\n";
        let eth0 = networks(text)["eth0"];
        assert_eq!(networks(text).len(), 1);
        assert_eq!((eth0.rx_bytes, eth0.rx_dropped, eth0.tx_bytes, eth0.tx_dropped), (10, 4, 50, 8));
        let io = block_io("8:0 Read 4096\n8:0 Write 0\nTotal 4096\n");
        assert_eq!((io.len(), io[0].op.as_str(), io[0].value), (2, "Read", 4096));
        let io = device_io("254:1 rbytes=5 wbytes=6 rios=1 wios=2 dbytes=0 dios=0\n", &[("wios", "Write")]);
        assert_eq!(io, [BlockIo { major: 254, minor: 1, op: "Write".to_owned(), value: 2 }]);
        assert_eq!(system_time("cpu  1 2 3 4 5 6 7 8 9 9\ncpu0 1\n"), 36 * TICK_NANOS);
        assert_eq!(machine_memory("MemTotal:       2 kB\n"), 2048);
        let membership = "4:memory:/a/b\n3:cpu,cpuacct:/a\n0::/\n";
        assert_eq!(folder(membership, "cpuacct").expect("is there"), Path::new("/sys/fs/cgroup/cpuacct/a"));
        assert!(folder(membership, "pids").is_err());
    }

    #[test]
    fn this_process_can_be_measured() {
        // It has no interface of a task and may be in the outermost groups, which lack some files.
        if let Ok(stats) = measure(std::process::id() as i32) {
            assert!(stats.cpu.system_cpu_usage > 0 && stats.cpu.online_cpus > 0);
        }
    }
}
