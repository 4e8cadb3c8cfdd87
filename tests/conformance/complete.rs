//! Checks that the table names every row and only tests that exist, and that no test claims a row that forgets it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use super::{SERIES, Stand, departures, rows};

/// What this very program says that its tests are: what does not run is not listed.
fn tests_of_this_program() -> BTreeSet<String> {
    #[expect(clippy::disallowed_methods, reason = "the test program itself, asked for the list of its tests")]
    let mut command = Command::new(std::env::current_exe().expect("a test has a program"));
    let list = command.args(["--list", "--format", "terse"]).output().expect("it starts");
    let list = String::from_utf8(list.stdout).expect("names are text");
    list.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect()
}

/// Whether a test of another crate exists; it is named by its file.
fn is_in_source(test: &str) -> bool {
    let Some((file, name)) = test.split_once(".rs::") else { return false };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = fs::read_to_string(root.join(format!("{file}.rs"))).unwrap_or_default();
    source.contains(&format!("fn {name}("))
}

/// The row that a test's name claims: `P3` of `ports::P3_is_so`.
fn claimed(test: &str) -> Option<&str> {
    let name = test.rsplit("::").next()?;
    let (id, _) = name.split_once('_')?;
    let mut letters = id.chars();
    let is_id = letters.next()?.is_ascii_uppercase() && letters.as_str().parse::<u32>().is_ok();
    is_id.then_some(id)
}

#[test]
fn every_row_is_in_the_table_once() {
    let expected: BTreeSet<String> = SERIES
        .iter()
        .flat_map(|(letter, count)| (1..=*count).map(move |number| format!("{letter}{number}")))
        .collect();
    let mut found = BTreeMap::<&str, u32>::new();
    for row in rows() {
        *found.entry(row.id).or_default() += 1;
    }
    let missing: Vec<_> = expected.iter().filter(|id| !found.contains_key(id.as_str())).collect();
    let unknown: Vec<_> = found.keys().filter(|id| !expected.contains(**id)).collect();
    let repeated: Vec<_> = found.iter().filter(|(_, count)| **count > 1).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "missing {missing:?}, unknown {unknown:?}");
    assert!(repeated.is_empty(), "more than once: {repeated:?}");
}

#[test]
fn every_row_that_applies_has_a_test_that_carries_its_id() {
    let untested: Vec<_> = rows()
        .filter(|row| !matches!(row.stand, Stand::NotApplicable(_)))
        .filter(|row| row.tests.is_empty())
        .map(|row| row.id)
        .collect();
    assert!(untested.is_empty(), "without a test: {untested:?}");
    let misnamed: Vec<_> = rows()
        .flat_map(|row| row.tests.iter().map(move |test| (row.id, *test)))
        .filter(|(id, test)| claimed(test) != Some(*id))
        .collect();
    assert!(misnamed.is_empty(), "not named after their row: {misnamed:?}");
}

#[test]
fn every_test_that_the_table_names_exists() {
    let existing = tests_of_this_program();
    assert!(existing.len() > 100, "the list of the tests: {existing:?}");
    let named = rows().flat_map(|row| row.tests).chain(departures().flat_map(|departure| departure.tests));
    let absent: Vec<_> = named.filter(|test| !existing.contains(**test) && !is_in_source(test)).collect();
    assert!(absent.is_empty(), "there is no such test: {absent:?}");
}

#[test]
fn every_departure_has_an_id_of_its_own_and_a_test() {
    let untested: Vec<_> = departures().filter(|departure| departure.tests.is_empty()).collect();
    assert!(untested.is_empty(), "{untested:?}");
    let ids: BTreeSet<&str> = departures().map(|departure| departure.id).collect();
    assert_eq!(ids.len(), departures().count(), "one id twice");
}

#[test]
fn every_test_that_carries_an_id_is_in_the_table() {
    let named: BTreeSet<&str> = rows().flat_map(|row| row.tests).copied().collect();
    let forgotten: Vec<_> = tests_of_this_program()
        .into_iter()
        .filter(|test| claimed(test).is_some() && !named.contains(test.as_str()))
        .collect();
    assert!(forgotten.is_empty(), "no row of the table names {forgotten:?}");
}
