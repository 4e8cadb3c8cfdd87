//! Kills a tree whose members may go on forking while it is killed.

use std::{collections::HashSet, io, time::Duration};

use rustix::{
    io::Errno,
    process::{Pid, Signal, getpgid, kill_process, kill_process_group},
};

use crate::process::tree::{self, Stat};

/// The longest pause between two rounds.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);
/// After so many rounds with nothing left that we could kill, half a second, we give up.
const PATIENCE: u32 = 16;

/// The end of all that descends from one process.
#[derive(Debug)]
pub(super) struct Ending {
    root: u32,
    killed: HashSet<u32>,
    pause: Duration,
    fruitless: u32,
}

/// What is to be done after a round.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Another round, after this pause: what was killed takes a moment to end.
    Pause(Duration),
    /// Nothing: what is left may not be signalled by us.
    GiveUp(Vec<u32>),
}

// === impl Ending ===

impl Ending {
    /// Of everything that descends from `root`, but not of `root` itself.
    pub(super) fn of_all_below(root: u32) -> Self {
        Self { root, killed: HashSet::new(), pause: Duration::ZERO, fruitless: 0 }
    }

    /// Kills everything that is there now. Does not wait for anything.
    pub(super) fn round(&mut self) -> Next {
        let (killed, denied) = kill(&self.found());
        let is_running = |pid: &u32| Stat::read(*pid).is_ok_and(|stat| !stat.has_ended());
        let left = denied.into_iter().filter(is_running).collect::<Vec<_>>();
        let all_denied = !left.is_empty() && !killed.iter().any(is_running);

        self.fruitless = if killed.is_empty() || all_denied { self.fruitless + 1 } else { 0 };
        if self.fruitless > PATIENCE {
            return Next::GiveUp(left);
        }
        let before = self.killed.len();
        self.killed.extend(killed);
        // Whoever is new was born while we were at it: no pause, or we never catch up with those that keep forking.
        let is_new = self.killed.len() > before;
        self.pause = if is_new {
            Duration::ZERO
        } else {
            (self.pause * 2).clamp(Duration::from_millis(1), LONGEST_PAUSE)
        };
        Next::Pause(self.pause)
    }

    /// The quick look costs as much as the tree is large, but may miss some; the thorough one reads the whole table.
    fn found(&self) -> Vec<u32> {
        let quick = tree::children_of_children(self.root);
        if quick.is_empty() { tree::descendants(self.root).unwrap_or_default() } else { quick }
    }
}

/// Kills the session of a process that has lost its guard, and what descends from its members: all that can still
/// be told to belong to it.
pub(super) fn kill_session(leader: u32) -> io::Result<()> {
    let table = tree::table()?;
    for member in table.iter().filter(|stat| stat.session == leader) {
        let mut found = vec![member.pid];
        found.extend(tree::below(&table, member.pid).iter().map(|stat| stat.pid));
        kill(&found);
    }
    Ok(())
}

/// Returns those that got the signal, and those that we may not send it to.
fn kill(found: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let our_group = getpgid(None).ok();
    let mut groups = HashSet::new();
    let (mut killed, mut denied) = (Vec::new(), Vec::new());
    for &pid in found {
        let Some(process) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { continue };
        // A group is killed at one stroke: a child that is just being forked in it does not escape.
        if let Ok(group) = getpgid(Some(process))
            && Some(group) != our_group
            && groups.insert(group)
        {
            let _ = kill_process_group(group, Signal::KILL);
        }
        match kill_process(process, Signal::KILL) {
            Err(Errno::PERM) => denied.push(pid),
            _ => killed.push(pid),
        }
    }
    (killed, denied)
}
