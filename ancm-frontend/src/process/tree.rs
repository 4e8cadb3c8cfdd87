//! Who descends from whom, by the process table in `/proc`.
//!
//! The table is read one process after another while processes come and go, so that one look may miss what was
//! born or changed parents meanwhile. Who must not miss any looks again until nothing new is seen.
//!
//! # Example
//!
//! ```
//! # #[cfg(target_os = "linux")] {
//! let ours = ancm_frontend::process::tree::descendants(std::process::id())?;
//! assert!(!ours.contains(&std::process::id()), "a process does not descend from itself");
//! # }
//! # Ok::<(), std::io::Error>(())
//! ```

use std::{
    collections::HashMap,
    io::{self, ErrorKind},
    path::Path,
};

/// One line of the process table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) pid: u32,
    pub(crate) parent: u32,
    pub(crate) session: u32,
    state: u8,
    /// The kernel's `PF_*` bits.
    flags: u32,
    /// In ticks since the machine was started.
    pub(crate) start_time: u64,
}

/// The processes that descend from this one, parents before their children. A process that has ended, but whose
/// parent has not taken notice yet, does not count; its children do.
///
/// # Errors
///
/// There is no process table that can be read.
pub fn descendants(pid: u32) -> io::Result<Vec<u32>> {
    let table = table()?;
    Ok(below(&table, pid).iter().filter(|stat| !stat.has_ended()).map(|stat| stat.pid).collect())
}

/// The whole process table, as far as we may see it.
pub(crate) fn table() -> io::Result<Vec<Stat>> {
    let proc = Path::new("/proc");
    let processes = proc.read_dir().map_err(|error| match error.kind() {
        ErrorKind::NotFound => io::Error::new(ErrorKind::Unsupported, "there is no process table in /proc"),
        _ => error,
    })?;
    let numbers = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    // Who ends while we read is not there any more.
    Ok(numbers.filter_map(|pid| Stat::read(pid).ok()).collect())
}

/// The processes that descend from this one, by the kernel's own lists of children.
///
/// Quick on machines with many processes, but with gaps: a list that changes while it is read may skip some. Zombies
/// are among them, and on kernels without such lists it finds nothing.
#[cfg(target_os = "linux")]
pub(crate) fn children_of_children(pid: u32) -> Vec<u32> {
    // A number that is given anew while we look must not lead us in circles.
    let mut seen = std::collections::HashSet::from([pid]);
    let mut found = children(pid);
    found.retain(|child| seen.insert(*child));
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        next += 1;
        found.extend(children(parent).into_iter().filter(|child| seen.insert(*child)));
    }
    found
}

#[cfg(target_os = "linux")]
fn children(pid: u32) -> Vec<u32> {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let lists =
        threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("children")).ok());
    let lists = lists.collect::<Vec<_>>().join(" ");
    lists.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// The part of a process table that descends from one process, parents before their children.
pub(crate) fn below(table: &[Stat], root: u32) -> Vec<Stat> {
    let mut children: HashMap<u32, Vec<Stat>> = HashMap::new();
    for stat in table {
        children.entry(stat.parent).or_default().push(*stat);
    }
    // Removing what was visited makes an end of a table that, changing under our eyes, has a circle in it.
    let mut found = children.remove(&root).unwrap_or_default();
    let mut next = 0;
    while let Some(stat) = found.get(next) {
        next += 1;
        found.extend(children.remove(&stat.pid).unwrap_or_default());
    }
    found.retain(|stat| stat.pid != root);
    found
}

// === impl Stat ===

impl Stat {
    pub(crate) fn read(pid: u32) -> io::Result<Self> {
        let line = std::fs::read(format!("/proc/{pid}/stat"))?;
        Self::parse(pid, &line).ok_or_else(|| {
            io::Error::new(ErrorKind::InvalidData, format!("/proc/{pid}/stat is not as expected"))
        })
    }

    /// Reads `pid (name) state parent group … start time …`; the name may hold blanks and parentheses.
    fn parse(pid: u32, line: &[u8]) -> Option<Self> {
        let after_name = line.iter().rposition(|&byte| byte == b')')? + 1;
        let rest = std::str::from_utf8(line.get(after_name..)?).ok()?;
        let mut fields = rest.split_ascii_whitespace();
        Some(Self {
            pid,
            state: *fields.next()?.as_bytes().first()?,
            parent: fields.next()?.parse().ok()?,
            session: fields.nth(1)?.parse().ok()?,
            flags: fields.nth(2)?.parse().ok()?,
            start_time: fields.nth(12)?.parse().ok()?,
        })
    }

    /// Whether only its exit code is left of it.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }

    /// Whether it is past all work: the kernel is taking it apart, or has.
    pub(crate) fn is_ending(&self) -> bool {
        const PF_EXITING: u32 = 0x4;
        self.has_ended() || self.flags & PF_EXITING != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(pid: u32, parent: u32) -> Stat {
        Stat { pid, parent, session: pid, state: b'S', flags: 0, start_time: 0 }
    }

    #[test]
    fn finds_children_of_children_after_their_parents() {
        let table = [stat(5, 4), stat(4, 2), stat(2, 1), stat(3, 1), stat(6, 2)];
        let found: Vec<_> = below(&table, 2).iter().map(|stat| stat.pid).collect();
        assert_eq!(found, [4, 6, 5]);
    }

    #[test]
    fn comes_to_an_end_with_a_table_that_has_a_circle() {
        let table = [stat(2, 3), stat(3, 2), stat(4, 4)];
        let found: Vec<_> = below(&table, 2).iter().map(|stat| stat.pid).collect();
        assert_eq!(found, [3]);
        assert!(below(&table, 4).is_empty());
    }

    #[test]
    fn reads_a_name_with_parentheses_and_blanks() {
        let line = b"7 (a) b (c) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 991 10 11";
        let expected = Stat { pid: 7, parent: 1, session: 7, state: b'S', flags: 4_194_560, start_time: 991 };
        assert_eq!(Stat::parse(7, line), Some(expected));
    }

    #[test]
    fn knows_a_process_that_is_being_taken_apart() {
        let line = |state, flags| format!("7 (a) {state} 1 7 7 0 -1 {flags} 1 2 3 4 5 6 7 8 20 0 1 0 991");
        let ending = |state, flags| Stat::parse(7, line(state, flags).as_bytes()).unwrap().is_ending();
        assert!(!ending('R', 0x40_0000));
        assert!(ending('R', 0x40_0004));
        assert!(ending('Z', 0));
    }

    #[test]
    fn refuses_lines_that_are_cut_short_or_garbage() {
        let line = b"7 (name) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 991";
        for end in 0..line.len() - 3 {
            assert_eq!(Stat::parse(7, &line[..end]), None, "cut at {end}");
        }
        assert_eq!(Stat::parse(7, b"7 (\xff) \xff\xfe"), None);
        assert_eq!(Stat::parse(7, b")"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn knows_our_own_parent() {
        let us = Stat::read(std::process::id()).unwrap();
        assert_eq!(us.parent, std::os::unix::process::parent_id());
        assert!(!us.has_ended());
        assert!(descendants(us.parent).unwrap().contains(&us.pid));
    }
}
