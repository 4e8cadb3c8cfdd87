//! The one place of the guard where the compiler must take our word.

#![expect(unsafe_code, reason = "what a new process does before it becomes another program has no safe form")]

use std::{
    io,
    os::{fd::BorrowedFd, unix::process::CommandExt},
    process::Command,
};

use rustix::{
    io::{Errno, FdFlags, fcntl_setfd},
    process::{Signal, getpid, getppid, set_parent_process_death_signal, setsid},
};

/// Makes the command's process the leader of a session of its own, and killed by the kernel when we end.
pub(super) fn tie_to_us(command: &mut Command) {
    let us = getpid();
    let between_fork_and_exec = move || {
        setsid()?;
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // If we have ended before that call, no signal will come any more.
        if getppid() == Some(us) { Ok(()) } else { Err(io::Error::from(Errno::SRCH)) }
    };
    // SAFETY: the closure makes four system calls and touches no memory but its own; that is allowed in a copy of a
    // process of which only the calling thread exists.
    unsafe { command.pre_exec(between_fork_and_exec) };
}

/// Marks every descriptor but the standard ones as "not for children": whatever the program that started us, or who
/// started it, left open.
pub(super) fn keep_all_files_to_ourselves() -> io::Result<()> {
    for file in std::fs::read_dir("/proc/self/fd")? {
        let Some(number) = file?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if number > 2 {
            // SAFETY: the directory lists the open descriptors of this very process, which has one thread, so that
            // nobody closes them meanwhile. The borrow ends in this line.
            let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
            fcntl_setfd(descriptor, FdFlags::CLOEXEC)?;
        }
    }
    Ok(())
}
