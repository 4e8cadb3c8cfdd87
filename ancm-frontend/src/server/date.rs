//! The `Date` header, formatted once a second by each thread.

use std::cell::RefCell;

use time::OffsetDateTime;

struct Line {
    text: String,
    /// Since 1970; none before it was first asked for.
    second: Option<u64>,
}

thread_local! {
    static LINE: RefCell<Line> = const { RefCell::new(Line { text: String::new(), second: None }) };
}

/// Appends the header line.
pub(super) fn append(out: &mut Vec<u8>) {
    LINE.with_borrow_mut(|line| {
        let now = now();
        if line.second != Some(now) {
            *line = Line { text: text(now), second: Some(now) };
        }
        out.extend_from_slice(line.text.as_bytes());
    });
}

/// The second since 1970, as of the kernel's last tick: to read that takes a fraction of what the exact time takes.
#[cfg(target_os = "linux")]
fn now() -> u64 {
    use rustix::time::{ClockId, clock_gettime};

    u64::try_from(clock_gettime(ClockId::RealtimeCoarse).tv_sec).unwrap_or_default()
}

/// The second since 1970.
#[cfg(not(target_os = "linux"))]
fn now() -> u64 {
    use std::time::{SystemTime, UNIX_EPOCH};

    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn text(second: u64) -> String {
    let time = i64::try_from(second).ok().and_then(|second| OffsetDateTime::from_unix_timestamp(second).ok());
    let time = time.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (weekday, month) = (time.weekday().to_string(), time.month().to_string());
    let (hour, minute, second) = time.to_hms();
    format!(
        "date: {weekday:.3}, {:02} {month:.3} {} {hour:02}:{minute:02}:{second:02} GMT\r\n",
        time.day(),
        time.year()
    )
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;

    #[test]
    fn is_written_as_rfc_9110_asks_for() {
        assert_eq!(text(784_111_777), "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
    }

    #[test]
    fn is_the_present() {
        let mut out = Vec::new();
        append(&mut out);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let written = String::from_utf8(out).unwrap();
        assert!([now - 1, now].map(text).contains(&written), "{written}");
    }
}
