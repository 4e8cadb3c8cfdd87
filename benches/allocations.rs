//! How often the frontend allocates for one proxied request, from the client's bytes to the answer's.
//!
//!     cargo bench --bench allocations
//!
//! The server's connection, the router, both stacks and the upstream client are the frontend's own; the backend is a
//! socket on the loopback interface, answered by another thread, which is not counted. Counted is what happens after
//! warm-up, on a connection that is kept alive. The figures are exact, and the same on every machine.

#![expect(clippy::cast_precision_loss, reason = "these are figures for people")]

#[path = "support/allocations.rs"]
mod allocations;
#[path = "support/backend.rs"]
mod backend;
#[path = "support/heads.rs"]
mod heads;
#[path = "support/process.rs"]
mod process;
#[path = "support/whole.rs"]
mod whole;

use allocations::Counting;
use whole::Whole;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Until every buffer has the size that it keeps.
const WARM_UP: usize = 200;
const COUNTED: usize = 1_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // `cargo test` runs benchmarks too.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    println!("| proxied request | allocations |\n|---|---:|");
    for (name, request) in
        [("hello", heads::HELLO), ("load generator", heads::WRK), ("browser", heads::BROWSER)]
    {
        let mut whole = Whole::new()?;
        whole.check(request)?;
        whole.exchange(request, WARM_UP);
        let count = allocations::during(|| whole.exchange(request, COUNTED));
        println!("| {name} | {:.2} |", count as f64 / COUNTED as f64);
    }
    Ok(())
}
