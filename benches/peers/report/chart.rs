//! The CPU time as a chart: a group of bars for each scenario, the best peer being 1.

use std::fmt::Write;

use super::figures::{Metric, to_best_peer, value};
use crate::run::Results;

/// Pixels.
const LABELS: f64 = 90.0;
const PLOT: f64 = 520.0;
const FIGURES: f64 = 130.0;
const BAR: f64 = 13.0;
const GAP: f64 = 12.0;
const TOP: f64 = 74.0;
/// The ratio at the right end: what is longer is cut.
const LONGEST: f64 = 2.5;

pub(super) fn text(results: &Results) -> String {
    let group = BAR * results.parties.len() as f64 + GAP;
    let height = TOP + group * results.scenarios.len() as f64 + 20.0;
    let width = LABELS + PLOT + FIGURES;
    let mut text = String::new();
    // Writing into a string does not fail.
    let _ = writeln!(
        text,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">
<title>CPU time per request of each proxy, the best peer being 1</title>
<rect width="{width}" height="{height}" fill="white"/>
<text x="12" y="20" font-size="14" font-weight="bold">CPU time per request (the best peer = 1, shorter is better)</text>
<text x="12" y="36" fill="dimgray">{}, {} cores, {}</text>"#,
        escape(&results.machine.processor),
        results.machine.cores,
        results.machine.date,
    );
    let _ = legend(&mut text, results);
    let _ = axis(&mut text, height);
    for (number, scenario) in results.scenarios.iter().enumerate() {
        let top = TOP + group * number as f64;
        let _ = bars(&mut text, results, scenario.name, top);
    }
    text.push_str("</svg>\n");
    text
}

fn legend(text: &mut String, results: &Results) -> std::fmt::Result {
    for (number, party) in results.parties.iter().enumerate() {
        let x = 12.0 + 110.0 * number as f64;
        writeln!(text, r#"<rect x="{x}" y="46" width="10" height="10" fill="{}"/>"#, colour(party))?;
        writeln!(text, r#"<text x="{}" y="55">{party}</text>"#, x + 14.0)?;
    }
    Ok(())
}

fn axis(text: &mut String, height: f64) -> std::fmt::Result {
    for (ratio, colour, label) in
        [(0.5, "lightgray", "0.5"), (1.0, "black", "1"), (1.5, "lightgray", "1.5"), (2.0, "lightgray", "2")]
    {
        let x = LABELS + PLOT * ratio / LONGEST;
        let (top, bottom) = (TOP - 4.0, height - 16.0);
        writeln!(text, r#"<line x1="{x}" x2="{x}" y1="{top}" y2="{bottom}" stroke="{colour}"/>"#)?;
        writeln!(
            text,
            r#"<text x="{x}" y="{}" text-anchor="middle" fill="dimgray">{label}</text>"#,
            height - 4.0
        )?;
    }
    Ok(())
}

fn bars(text: &mut String, results: &Results, scenario: &str, top: f64) -> std::fmt::Result {
    let middle = top + BAR * results.parties.len() as f64 / 2.0 + 4.0;
    let right = LABELS - 8.0;
    writeln!(
        text,
        r#"<text x="{right}" y="{middle}" text-anchor="end" font-weight="bold">{scenario}</text>"#
    )?;
    for (number, party) in results.parties.iter().enumerate() {
        let y = top + BAR * number as f64;
        let found = to_best_peer(results, Metric::Cpu, scenario, party);
        let Some((ratio, value)) = found.zip(value(results, Metric::Cpu, scenario, party)) else { continue };
        let length = PLOT * ratio.median.min(LONGEST) / LONGEST;
        let (fill, thickness) = (colour(party), BAR - 2.0);
        writeln!(
            text,
            r#"<rect x="{LABELS}" y="{y}" width="{length:.1}" height="{thickness}" fill="{fill}"/>"#
        )?;
        let (x, base) = (LABELS + length + 4.0, y + BAR - 3.0);
        writeln!(text, r#"<text x="{x:.1}" y="{base}">{:.2} ({value:.1} µs)</text>"#, ratio.median)?;
    }
    Ok(())
}

/// Told apart by people who see colours differently, too (the palette of Okabe and Ito).
fn colour(party: &str) -> &'static str {
    match party {
        "ancm" => "#d55e00",
        "nginx" => "#009e73",
        "nginx-tuned" => "#0072b2",
        "haproxy" => "#e69f00",
        "haproxy-tuned" => "#cc79a7",
        _ => "#999999",
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
