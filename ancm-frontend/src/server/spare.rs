//! Buffers that a thread lends to whichever connection is at work, so that idle ones hold none.

use std::cell::RefCell;

use super::head_guard::Line;

/// What a thread keeps for the next answer.
const KEPT_HEAD: usize = 16 * 1024;
const KEPT_LINES: usize = 256;

#[derive(Default)]
struct Spare {
    head: Vec<u8>,
    lines: Vec<Line>,
}

thread_local! {
    static SPARE: RefCell<Spare> = RefCell::default();
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
