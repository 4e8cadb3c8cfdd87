//! Buffers that a thread lends to whichever connection is at work, so that idle ones hold none.

use std::cell::RefCell;

use super::head_guard::Line;

/// Read at once while a head is awaited.
const ROOM: usize = 64 * 1024;
/// What a thread keeps for the next answer.
const KEPT_HEAD: usize = 16 * 1024;
const KEPT_LINES: usize = 256;

#[derive(Default)]
struct Spare {
    room: Vec<u8>,
    head: Vec<u8>,
    lines: Vec<Line>,
}

thread_local! {
    static SPARE: RefCell<Spare> = RefCell::default();
}

/// Calls this with room to read into; not to be nested.
pub(super) fn with_room<R>(read: impl FnOnce(&mut [u8]) -> R) -> R {
    SPARE.with_borrow_mut(|spare| {
        if spare.room.is_empty() {
            spare.room = vec![0; ROOM];
        }
        read(&mut spare.room)
    })
}

/// A buffer for an answer's head; it is empty.
pub(super) fn take_head() -> Vec<u8> {
    SPARE.with_borrow_mut(|spare| std::mem::take(&mut spare.head))
}

/// Gives it back.
pub(super) fn keep_head(head: Vec<u8>) {
    if head.capacity() <= KEPT_HEAD {
        SPARE.with_borrow_mut(|spare| spare.head = head);
    }
}

/// Room for the lines of a request's head.
pub(super) fn take_lines() -> Vec<Line> {
    SPARE.with_borrow_mut(|spare| std::mem::take(&mut spare.lines))
}

/// Gives it back.
pub(super) fn keep_lines(lines: Vec<Line>) {
    if lines.capacity() <= KEPT_LINES {
        SPARE.with_borrow_mut(|spare| spare.lines = lines);
    }
}
