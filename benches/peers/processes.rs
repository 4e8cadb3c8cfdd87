//! What `/proc` says about processes.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

/// Ticks in a second: the kernel reports in these, whatever its own clock.
const TICKS: f64 = 100.0;

/// CPU time, in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cpu {
    pub(crate) user: f64,
    pub(crate) system: f64,
}

/// Memory, in KiB.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    /// Resident; what processes share is counted for each.
    pub(crate) resident: u64,
    /// Resident; what processes share is counted once.
    pub(crate) proportional: u64,
    /// The most that was ever resident.
    pub(crate) peak: u64,
}

/// The CPU time of these processes; that of processes they have waited for is not in it.
pub(crate) fn cpu(pids: &[u32]) -> Cpu {
    let mut cpu = Cpu::default();
    for fields in pids.iter().filter_map(|pid| stat(*pid)) {
        let ticks = |at: usize| fields.get(at).and_then(|text| text.parse().ok()).unwrap_or(0.0);
        cpu.user += ticks(11) / TICKS;
        cpu.system += ticks(12) / TICKS;
    }
    cpu
}

/// The memory of these processes.
pub(crate) fn memory(pids: &[u32]) -> Memory {
    let mut memory = Memory::default();
    for pid in pids {
        memory.resident += line(*pid, "status", "VmRSS:");
        memory.peak += line(*pid, "status", "VmHWM:");
        memory.proportional += line(*pid, "smaps_rollup", "Pss:");
    }
    memory
}

/// A process and its descendants.
pub(crate) fn tree(root: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for pid in fs::read_dir("/proc").into_iter().flatten().flatten() {
        if let Some(pid) = pid.file_name().to_str().and_then(|name| name.parse().ok())
            && let Some(parent) = stat(pid).and_then(|fields| fields.get(1)?.parse().ok())
        {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut tree = vec![root];
    let mut next = 0;
    while let Some(pid) = tree.get(next) {
        tree.extend(children.remove(pid).unwrap_or_default());
        next += 1;
    }
    tree
}

/// Those of the tree that run the same program as its root.
///
/// These are nginx's workers, and ancm's guard; the application that `ancm` has started is not among them.
pub(crate) fn family(root: u32) -> Vec<u32> {
    let program = program(root);
    tree(root)
        .into_iter()
        .filter(|pid| *pid == root || program.is_some() && self::program(*pid) == program)
        .collect()
}

/// The process below `root`, or itself, that runs this program.
pub(crate) fn running(program: &Path, root: u32) -> Option<u32> {
    tree(root).into_iter().find(|pid| self::program(*pid).as_deref() == Some(program))
}

/// Seconds that the hypervisor has kept from this machine since it was started.
pub(crate) fn steal() -> f64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let steal = text.lines().next().and_then(|line| line.split_whitespace().nth(8)?.parse::<f64>().ok());
    steal.unwrap_or(0.0) / TICKS
}

/// The fields of `/proc/PID/stat` that follow the program's name.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold blanks and parentheses.
    let (_, fields) = text.rsplit_once(") ")?;
    Some(fields.split(' ').map(str::to_owned).collect())
}

fn program(pid: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/exe")).ok()
}

fn line(pid: u32, file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let value =
        text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok());
    value.unwrap_or(0)
}
