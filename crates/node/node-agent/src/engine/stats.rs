//! What the machine measures of a container, in the words of the Docker Engine API, which metadata endpoints use.

use serde::Serialize;
use std::collections::BTreeMap;

/// One measurement. What a machine does not measure is absent, never zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Processor time.
    pub cpu: CpuStats,
    /// Memory.
    pub memory: MemoryStats,
    /// Processes and threads.
    pub pids: PidsStats,
    /// What was read from and written to devices.
    pub block_io: BlockIoStats,
    /// By interface of the task.
    pub networks: BTreeMap<String, NetworkStats>,
}

/// Use of processors; times are nanoseconds since the container's start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CpuStats {
    /// The container's time.
    pub cpu_usage: CpuUsage,
    /// The whole machine's time, idle or not.
    pub system_cpu_usage: u64,
    /// Processors of the machine.
    pub online_cpus: u32,
    /// How often the container was held back.
    pub throttling_data: ThrottlingData,
}

/// A container's processor time in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CpuUsage {
    /// In all.
    pub total_usage: u64,
    /// By processor.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub percpu_usage: Vec<u64>,
    /// In the kernel.
    pub usage_in_kernelmode: u64,
    /// In programs.
    pub usage_in_usermode: u64,
}

/// Periods in which a container reached its limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ThrottlingData {
    /// Periods with work.
    pub periods: u64,
    /// Those in which it had to wait.
    pub throttled_periods: u64,
    /// Nanoseconds it waited.
    pub throttled_time: u64,
}

/// Use of memory in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MemoryStats {
    /// Now.
    pub usage: u64,
    /// The most there was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_usage: Option<u64>,
    /// The control group's own figures.
    pub stats: BTreeMap<String, u64>,
    /// What it may have; the machine's memory when nothing limits it.
    pub limit: u64,
}

/// Processes and threads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PidsStats {
    /// Now.
    pub current: u64,
    /// At most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

/// Reads and writes by device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BlockIoStats {
    /// Bytes.
    pub io_service_bytes_recursive: Vec<BlockIo>,
    /// Operations.
    pub io_serviced_recursive: Vec<BlockIo>,
}

/// One figure of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BlockIo {
    /// Its driver.
    pub major: u64,
    /// Its number there.
    pub minor: u64,
    /// `Read`, `Write`, ...
    pub op: String,
    /// The figure.
    pub value: u64,
}

/// Traffic of an interface since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names say all there is")]
pub struct NetworkStats {
    pub rx_bytes: u64,
    pub rx_packets: u64,
    pub rx_errors: u64,
    pub rx_dropped: u64,
    pub tx_bytes: u64,
    pub tx_packets: u64,
    pub tx_errors: u64,
    pub tx_dropped: u64,
}
