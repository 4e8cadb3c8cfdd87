//! What the head guard costs per request.
//!
//!     cargo bench --bench head_guard
//!
//! The heads come whole, as they nearly always do; `in_pieces` is a head that comes
//! in reads of 16 bytes, and `body` is 64 KiB of an upload.

#[path = "support/heads.rs"]
mod heads;

use std::hint::black_box;

use ancm_frontend::server::{HeadGuard, Verdict};
use criterion::{Criterion, criterion_group, criterion_main};

use heads::{BROWSER, HELLO, WRK};

fn guard(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("head_guard");
    for (name, head) in [("hello", HELLO), ("load_generator", WRK), ("browser", BROWSER)] {
        let mut guard = HeadGuard::new();
        group.bench_function(name, |bencher| {
            bencher.iter(|| assert_eq!(guard.inspect(black_box(head)), Verdict::Pass));
        });
    }
    let mut guard = HeadGuard::new();
    group.bench_function("browser_in_pieces", |bencher| {
        bencher.iter(|| {
            for piece in black_box(BROWSER).chunks(16) {
                assert_eq!(guard.inspect(piece), Verdict::Pass);
            }
        });
    });
    let body = vec![b'x'; 64 * 1024];
    let mut guard = HeadGuard::new();
    let endless = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000000000000000\r\n\r\n";
    assert_eq!(guard.inspect(endless), Verdict::Pass);
    group.bench_function("body", |bencher| {
        bencher.iter(|| assert_eq!(guard.inspect(black_box(&body)), Verdict::Pass));
    });
}

criterion_group!(benches, guard);
criterion_main!(benches);
