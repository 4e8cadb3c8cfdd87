//! The few things that are asked of the operating system by other means than files.

/// Tells a process to end.
#[cfg(unix)]
pub(crate) fn terminate(pid: u32) {
    signal(pid, rustix::process::Signal::TERM);
}

/// Ends a process.
#[cfg(unix)]
pub(crate) fn kill(pid: u32) {
    signal(pid, rustix::process::Signal::KILL);
}

#[cfg(unix)]
fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        // It may have gone by itself.
        let _ = rustix::process::kill_process(pid, signal);
    }
}

/// Lets this process, and those that it starts, stand back where others want to run.
#[cfg(unix)]
pub(crate) fn stand_back() {
    // Linux may share its processors between sessions first, and then a thread's niceness counts within its own only.
    // Each of these fails where it is not needed: in a leader of a session, or where there is no such sharing.
    let _ = rustix::process::setsid();
    let _ = std::fs::write("/proc/self/autogroup", "19");
    let _ = rustix::process::nice(19);
}

/// Allows as many open files as an unprivileged process may, and says how many that are.
#[cfg(unix)]
pub(crate) fn raise_file_limit() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    /// More are of no use here, and some programs prepare for all that are allowed.
    const ENOUGH: u64 = 65_536;
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(ENOUGH).min(ENOUGH);
    match setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: limit.maximum }) {
        Ok(()) => most,
        Err(_) => limit.current.unwrap_or(most),
    }
}

#[cfg(unix)]
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(not(unix))]
pub(crate) fn terminate(_: u32) {}

#[cfg(not(unix))]
pub(crate) fn kill(_: u32) {}

#[cfg(not(unix))]
pub(crate) fn stand_back() {}

#[cfg(not(unix))]
pub(crate) fn raise_file_limit() -> u64 {
    0
}

#[cfg(not(unix))]
pub(crate) fn is_root() -> bool {
    false
}
