//! How a line of the debug log looks.

use std::fmt::Write;

use time::OffsetDateTime;
use tracing::Level;

/// A line, its end included.
pub(super) fn line(level: Level, text: &str) -> String {
    let mut line = String::new();
    write(&mut line, level, text);
    line
}

/// Appends a line: nothing in it passes for another line.
// ANCM: debugutil.cpp: time and process in one pair of brackets, the module in another; its lines end as Windows has it.
pub(super) fn write(out: &mut String, level: Level, text: &str) {
    let now = OffsetDateTime::now_utc();
    let (date, time) = (now.date(), now.time());
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "[{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z, PID: {}] [ancm] {level} ",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second(),
        time.millisecond(),
        std::process::id(),
    );
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\n    "),
            '\t' => out.push('\t'),
            other if other.is_control() => {
                let _ = write!(out, "{}", other.escape_default());
            }
            other => out.push(other),
        }
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_time_process_module_and_level() {
        let line = line(Level::WARN, "one\ntwo\x1b[2J");
        let (head, text) = line.split_at(line.find("] [ancm] ").unwrap());
        assert_eq!(text, "] [ancm] WARN one\n    two\\u{1b}[2J\n");
        let (time, pid) = head.strip_prefix('[').unwrap().split_once("Z, PID: ").unwrap();
        assert_eq!(time.len(), "2024-01-31T23:59:59.123".len());
        assert_eq!(pid, std::process::id().to_string());
    }
}
