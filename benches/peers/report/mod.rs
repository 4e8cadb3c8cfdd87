//! What was found, for people (Markdown and a chart) and for programs (JSON).

mod chart;
mod figures;
mod json;
mod markdown;

use std::{fs, path::Path};

use crate::{Failure, run::Results};

/// Writes the three files, and shows the one for people.
pub(crate) fn write(results: &Results, out: &Path) -> Result<(), Failure> {
    let text = markdown::text(results);
    fs::write(out.join("results.md"), &text)?;
    fs::write(out.join("results.json"), json::text(results)?)?;
    fs::write(out.join("chart.svg"), chart::text(results))?;
    println!("{text}");
    eprintln!("written: results.md, results.json and chart.svg in {}", out.display());
    Ok(())
}
