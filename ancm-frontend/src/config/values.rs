//! Values of attributes, as IIS writes them.

use std::time::Duration;

use ancm_tower::require_tls::TlsDemands;

use super::{HostingModel, nearest::nearest};

/// Why a value is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) code: &'static str,
    /// Follows the attribute and its value in a sentence.
    pub(super) problem: &'static str,
    pub(super) fix: String,
}

/// `true` or `false`, in any case.
pub(super) fn flag(text: &str) -> Result<bool, Refused> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        other => {
            let meant = if matches!(other, "1" | "yes" | "on" | "enabled") { "true" } else { "false" };
            let fix = format!("write {}", nearest(other, ["true", "false"]).unwrap_or(meant));
            Err(Refused { code: "not-a-boolean", problem: "is neither true nor false", fix })
        }
    }
}

/// Decimal digits that make a number of this range.
pub(super) fn number(text: &str, least: u32, most: u32) -> Result<u32, Refused> {
    let digits = text.trim();
    let unsigned = digits.strip_prefix('-').unwrap_or(digits);
    if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        let fix = format!("write a whole number in decimal digits, such as {most}");
        return Err(Refused { code: "not-a-number", problem: "is not a whole number", fix });
    }
    match digits.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => {
            let near = if digits.starts_with('-') || digits.parse().is_ok_and(|n: u32| n < least) {
                least
            } else {
                most
            };
            Err(out_of_range(format!("write a value in the range; the nearest is {near}")))
        }
    }
}

/// A time span, and whether it was written as a bare number of minutes.
///
/// `hh:mm:ss` with any number of hours, or `d.hh:mm:ss`; a bare number is taken for minutes, as files for the first
/// modules had it.
pub(super) fn time_span(text: &str, most: Duration) -> Result<(Duration, bool), Refused> {
    let text = text.trim();
    let malformed = |problem| {
        let fix = "write hours:minutes:seconds, such as 00:02:00 for two minutes".into();
        Refused { code: "not-a-time-span", problem, fix }
    };
    let parts: Vec<u64> = text
        .split([':', '.'])
        .map(|part| part.parse().ok().filter(|_| part.len() <= 9 && part.bytes().all(|b| b.is_ascii_digit())))
        .collect::<Option<_>>()
        .ok_or_else(|| malformed("is not a time span"))?;
    let separators: String = text.matches([':', '.']).collect();
    let (days, hours, minutes, seconds) = match (separators.as_str(), parts.as_slice()) {
        ("", [minutes]) => (0, minutes / 60, minutes % 60, 0),
        ("::", [hours, minutes, seconds]) => (0, *hours, *minutes, *seconds),
        (".::", [days, hours, minutes, seconds]) => (*days, *hours, *minutes, *seconds),
        _ => return Err(malformed("is not a time span")),
    };
    if minutes > 59 || seconds > 59 {
        return Err(malformed("has more than 59 minutes or seconds"));
    }
    if days > 0 && hours > 23 {
        return Err(malformed("has more than 23 hours beside its days"));
    }
    let span = Duration::from_secs(days * 86_400 + hours * 3_600 + minutes * 60 + seconds);
    if span > most {
        return Err(out_of_range(format!("write a value in the range; the longest is {}", span_text(most))));
    }
    Ok((span, separators.is_empty()))
}

/// `hh:mm:ss`.
pub(super) fn span_text(span: Duration) -> String {
    let seconds = span.as_secs();
    format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// `inprocess` or `outofprocess`, in any case; empty is the latter.
pub(super) fn hosting_model(text: &str) -> Result<HostingModel, Refused> {
    // ANCM: ShimOptions.cpp compares without regard to case and takes an absent model for out-of-process.
    match text.to_ascii_lowercase().as_str() {
        "inprocess" => Ok(HostingModel::InProcess),
        "" | "outofprocess" => Ok(HostingModel::OutOfProcess),
        other => {
            let meant = if other.trim_start().starts_with("in") { "inprocess" } else { "outofprocess" };
            let fix = format!("write {meant}; it runs out of process either way");
            Err(Refused { code: "unknown-hosting-model", problem: "is not a hosting model", fix })
        }
    }
}

/// The flags of `access`, as IIS's schema names them.
pub(super) const SSL_FLAGS: &[&str] =
    &["None", "Ssl", "SslNegotiateCert", "SslRequireCert", "SslMapCert", "Ssl128"];

/// Some of these flags, in any case and order, between commas.
pub(super) fn ssl_flags(text: &str) -> Result<TlsDemands, Refused> {
    let mut demands = TlsDemands::default();
    for flag in text.split(',').map(str::trim) {
        let Some(known) = SSL_FLAGS.iter().find(|known| known.eq_ignore_ascii_case(flag)) else {
            let meant = nearest(flag, SSL_FLAGS.iter().copied()).unwrap_or("Ssl");
            let fix = format!("write {meant}, or several of them between commas");
            return Err(Refused { code: "unknown-flag", problem: "is not made of known flags", fix });
        };
        // TLS with less than 128 bits has not been spoken for long.
        demands.tls |= matches!(*known, "Ssl" | "Ssl128");
        demands.certificate |= *known == "SslRequireCert";
    }
    Ok(demands)
}

/// The flags that say the same.
pub(super) fn ssl_flags_text(demands: TlsDemands) -> String {
    match (demands.tls, demands.certificate) {
        (false, false) => "None",
        (true, false) => "Ssl",
        (false, true) => "SslRequireCert",
        (true, true) => "Ssl, SslRequireCert",
    }
    .to_owned()
}

fn out_of_range(fix: String) -> Refused {
    Refused { code: "out-of-range", problem: "is out of range", fix }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAYS_15: Duration = Duration::from_secs(15 * 86_400);

    #[test]
    fn booleans_may_be_written_in_any_case() {
        for (text, expected) in [("true", true), ("True", true), ("FALSE", false), (" false ", false)] {
            assert_eq!(flag(text), Ok(expected), "{text}");
        }
        for (text, fix) in
            [("1", "write true"), ("no", "write false"), ("", "write false"), ("ture", "write true")]
        {
            assert_eq!(flag(text).unwrap_err().fix, fix, "{text}");
        }
    }

    #[test]
    fn numbers_are_taken_up_to_both_ends_of_the_range() {
        assert_eq!(number("1", 1, 100), Ok(1));
        assert_eq!(number(" 100 ", 1, 100), Ok(100));
        assert_eq!(number("4294967295", 0, u32::MAX), Ok(u32::MAX));
        for (text, code) in [
            ("0", "out-of-range"),
            ("101", "out-of-range"),
            ("-1", "out-of-range"),
            ("99999999999999999999", "out-of-range"),
            ("", "not-a-number"),
            ("-", "not-a-number"),
            ("+1", "not-a-number"),
            ("0x10", "not-a-number"),
            ("1.5", "not-a-number"),
            ("1e2", "not-a-number"),
            ("ten", "not-a-number"),
        ] {
            assert_eq!(number(text, 1, 100).unwrap_err().code, code, "{text}");
        }
    }

    #[test]
    fn time_spans_are_hours_minutes_and_seconds_with_or_without_days() {
        for (text, seconds) in [
            ("00:02:00", 120),
            ("0:0:1", 1),
            ("23:00:00", 82_800),
            ("360:00:00", 1_296_000),
            ("1.00:00:00", 86_400),
            ("15.00:00:00", 1_296_000),
            ("00:00:00", 0),
        ] {
            assert_eq!(time_span(text, DAYS_15), Ok((Duration::from_secs(seconds), false)), "{text}");
        }
    }

    #[test]
    fn a_bare_number_is_minutes_and_said_to_be() {
        assert_eq!(time_span("20", DAYS_15), Ok((Duration::from_secs(1_200), true)));
    }

    #[test]
    fn other_time_spans_are_refused() {
        for (text, code) in [
            ("360:00:01", "out-of-range"),
            ("15.00:00:01", "out-of-range"),
            ("999999999:00:00", "out-of-range"),
            ("00:60:00", "not-a-time-span"),
            ("00:00:60", "not-a-time-span"),
            ("1.24:00:00", "not-a-time-span"),
            ("00:02", "not-a-time-span"),
            ("00:02:00.5", "not-a-time-span"),
            ("-00:02:00", "not-a-time-span"),
            ("+1:00:00", "not-a-time-span"),
            ("::", "not-a-time-span"),
            ("", "not-a-time-span"),
            ("infinite", "not-a-time-span"),
            ("99999999999999999999:00:00", "not-a-time-span"),
        ] {
            assert_eq!(time_span(text, DAYS_15).unwrap_err().code, code, "{text}");
        }
    }

    #[test]
    fn hosting_models_may_be_written_in_any_case() {
        assert_eq!(hosting_model("InProcess"), Ok(HostingModel::InProcess));
        assert_eq!(hosting_model("OUTOFPROCESS"), Ok(HostingModel::OutOfProcess));
        assert_eq!(hosting_model(""), Ok(HostingModel::OutOfProcess));
        assert!(hosting_model("in-process").unwrap_err().fix.starts_with("write inprocess"));
    }

    proptest! {
        #[test]
        fn a_time_span_reads_back_as_it_is_written(seconds in 0u64..=1_296_000) {
            let span = Duration::from_secs(seconds);
            prop_assert_eq!(time_span(&span_text(span), DAYS_15), Ok((span, false)));
        }

        #[test]
        fn any_text_is_a_value_or_refused(text in "[-+0-9.:a-z ]{0,24}") {
            let _ = (flag(&text), number(&text, 1, 100), time_span(&text, DAYS_15), hosting_model(&text));
        }
    }

    #[test]
    fn flags_are_read_in_any_case_and_order() {
        let demands = |tls, certificate| Ok(TlsDemands { tls, certificate });
        for (text, expected) in [
            ("None", demands(false, false)),
            ("ssl", demands(true, false)),
            ("Ssl128", demands(true, false)),
            ("SslNegotiateCert,SslMapCert", demands(false, false)),
            (" SSLREQUIRECERT , Ssl,SslNegotiateCert", demands(true, true)),
        ] {
            assert_eq!(ssl_flags(text), expected, "{text}");
        }
        for text in ["", "Ssl,", "Ssl SslRequireCert", "8"] {
            assert_eq!(ssl_flags(text).unwrap_err().code, "unknown-flag", "{text}");
        }
        assert!(ssl_flags("SslRequireCerts").unwrap_err().fix.contains("SslRequireCert,"));
    }
}
