//! Every test that ANCM's own authors wrote for out-of-process hosting, and which of our tests proves the same.
//!
//! Whoever relied on the module finds the same behaviour here; this table is how we know. A test that proves a row is
//! named after it, the row's id in front: `P3_configured_port_out_of_range_is_502`. `tests/CONFORMANCE.md` is made
//! from the table ([`document`]), and the table is checked against the tests that this program really has
//! ([`complete`]).

mod complete;
mod compression;
mod counterparts;
mod defects;
mod document;
mod hello;
mod ports;
mod refinements;
mod table;
mod v1;
mod wire;

/// A test of ANCM's, and what became of it here.
#[derive(Debug)]
pub(crate) struct Row {
    /// `P3`; what our tests' names begin with.
    pub(crate) id: &'static str,
    /// The name of the original, and its file in dotnet/aspnetcore or aspnet/AspNetCoreModule.
    pub(crate) original: &'static str,
    /// What it holds, in our words.
    pub(crate) asserts: &'static str,
    pub(crate) stand: Stand,
    /// Our tests: `module::of::tests_main_rs::P3_…`, or `path/of/a/file.rs::P3_…` for one that lies in another crate.
    pub(crate) tests: &'static [&'static str],
}

/// How much of a row holds outside of Windows.
#[derive(Debug)]
pub(crate) enum Stand {
    AsItIs,
    /// How, and why.
    Adapted(&'static str),
    /// Why.
    NotApplicable(&'static str),
}

/// Something that ANCM does, or has, and we do otherwise.
#[derive(Debug)]
pub(crate) struct Departure {
    pub(crate) id: &'static str,
    pub(crate) theirs: &'static str,
    pub(crate) ours: &'static str,
    /// Empty where it goes without saying.
    pub(crate) why: &'static str,
    /// As in [`Row`]; their names are free.
    pub(crate) tests: &'static [&'static str],
}

/// The ids that there must be: all of ANCM's list, counted.
const SERIES: &[(char, u32)] = &[
    ('P', 3),
    ('H', 5),
    ('O', 6),
    ('C', 4),
    ('A', 1),
    ('L', 8),
    ('S', 8),
    ('W', 5),
    ('Z', 2),
    ('N', 1),
    ('R', 19),
    ('V', 29),
];

/// Everything that we do otherwise.
fn departures() -> impl Iterator<Item = &'static Departure> {
    [defects::DEFECTS, refinements::REFINEMENTS, counterparts::COUNTERPARTS].into_iter().flatten()
}

/// All rows: of the module's second version, of its wire tests, of its first version.
fn rows() -> impl Iterator<Item = &'static Row> {
    [table::ROWS, wire::ROWS, v1::ROWS].into_iter().flatten()
}
