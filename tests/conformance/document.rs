//! `tests/CONFORMANCE.md`, made from the table so that it cannot say anything else.

use std::{fs, path::Path};

use ancm_frontend::events::{ABSENT, EVENTS};

use super::{
    Departure, Row, Stand, counterparts::COUNTERPARTS, defects::DEFECTS, refinements::REFINEMENTS, rows,
};

/// With this variable the file is written anew instead of compared.
const BLESS: &str = "ANCM_BLESS";

const HEAD: &str = "# Conformance

What the authors of the ASP.NET Core Module test of out-of-process hosting, and which of our tests hold the same.
Made from the table in `tests/conformance/`; `ANCM_BLESS=1 cargo test --test main conformance` writes it anew.
";

fn document() -> String {
    let mut text = HEAD.to_owned();
    text.push_str("\n## Their tests\n\n");
    text.push_str(&line(["id", "theirs", "holds that", "here", "our tests"]));
    text.push_str(&line(["---"; 5]));
    for row in rows() {
        text.push_str(&line([row.id, row.original, row.asserts, &stand(row), &tests(row.tests)]));
    }
    text.push_str("\n## Where we leave it on purpose\n\n");
    departures(&mut text, "the module", &[DEFECTS, REFINEMENTS]);
    text.push_str("\n## What takes the place of what only Windows has\n\n");
    departures(&mut text, "Windows and IIS", &[COUNTERPARTS]);
    text.push_str("\n## Event ids\n\nLog lines carry them as `event_id`.\n\n");
    events(&mut text);
    text
}

/// All numbers of the event log, by number.
fn events(text: &mut String) {
    text.push_str(&line(["id", "means", "level, or why it does not happen here"]));
    text.push_str(&line(["---"; 3]));
    let here = EVENTS.iter().map(|event| {
        let level = event.level.as_str().to_lowercase();
        (event.id, line([&event.id.to_string(), event.meaning, &level]))
    });
    let absent = ABSENT.iter().map(|absent| {
        let (first, last) = (absent.ids.start(), absent.ids.end());
        let ids = if first == last { first.to_string() } else { format!("{first} to {last}") };
        (*first, line([&ids, absent.meaning, &format!("not here: {}", absent.reason)]))
    });
    let mut lines: Vec<_> = here.chain(absent).collect();
    lines.sort_unstable();
    for (_, line) in lines {
        text.push_str(&line);
    }
}

fn departures(text: &mut String, theirs: &str, lists: &[&[Departure]]) {
    text.push_str(&line(["id", theirs, "ancm", "our tests"]));
    text.push_str(&line(["---"; 4]));
    for Departure { id, theirs, ours, why, tests: proofs } in lists.iter().copied().flatten() {
        let ours = if why.is_empty() { (*ours).to_owned() } else { format!("{ours} ({why})") };
        text.push_str(&line([id, theirs, &ours, &tests(proofs)]));
    }
}

/// A line of a table.
fn line<const N: usize>(cells: [&str; N]) -> String {
    let cells = cells.map(|cell| cell.replace('|', "\\|"));
    format!("| {} |\n", cells.join(" | "))
}

fn stand(row: &Row) -> String {
    match row.stand {
        Stand::AsItIs => "as it is".to_owned(),
        Stand::Adapted(how) => format!("adapted: {how}"),
        Stand::NotApplicable(why) => format!("does not apply: {why}"),
    }
}

fn tests(tests: &[&str]) -> String {
    tests.iter().map(|test| format!("`{test}`")).collect::<Vec<_>>().join("<br>")
}

#[test]
fn the_file_says_what_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/CONFORMANCE.md");
    if std::env::var_os(BLESS).is_some() {
        fs::write(&path, document()).expect("the file can be written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == document(), "run the test with {BLESS}=1 to write {} anew", path.display());
}
