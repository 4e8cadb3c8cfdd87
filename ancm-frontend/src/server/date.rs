//! The `Date` header, formatted once a second by each thread.

use std::{
    cell::RefCell,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use time::OffsetDateTime;
use tokio::time::Instant;

struct Line {
    text: String,
    /// Until when it is right; none before it was first asked for.
    until: Option<Instant>,
}

thread_local! {
    static LINE: RefCell<Line> = const { RefCell::new(Line { text: String::new(), until: None }) };
}

/// Appends the header line.
pub(super) fn append(out: &mut Vec<u8>) {
    LINE.with_borrow_mut(|line| {
        let now = Instant::now();
        if line.until.is_none_or(|until| now >= until) {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            line.text = text(since.as_secs());
            let over = Duration::from_nanos(since.subsec_nanos().into());
            line.until = Some(now + Duration::from_secs(1).saturating_sub(over));
        }
        out.extend_from_slice(line.text.as_bytes());
    });
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
