//! `tests/CONFORMANCE.md`, made from the table so that it cannot say anything else.

use std::{fmt::Write, fs, path::Path};

use super::{Row, Stand, rows};

/// With this variable the file is written anew instead of compared.
const BLESS: &str = "ANCM_BLESS";

const HEAD: &str = "# Conformance

What the authors of the ASP.NET Core Module test of out-of-process hosting, and which of our tests hold the same.
Made from the table in `tests/conformance/`; `ANCM_BLESS=1 cargo test --test main conformance` writes it anew.
";

fn document() -> String {
    let mut text = HEAD.to_owned();
    text.push_str("\n## Their tests\n\n| id | theirs | holds | here | ours |\n|---|---|---|---|---|\n");
    for row in rows() {
        let Row { id, original, asserts, .. } = row;
        let _ = writeln!(text, "| {id} | {original} | {asserts} | {} | {} |", stand(row), tests(row.tests));
    }
    text
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
