//! What the head guard costs per request.
//!
//!     cargo bench --bench head_guard
//!
//! The heads come whole, as they nearly always do; `in_pieces` is a head that comes
//! in reads of 16 bytes, and `body` is 64 KiB of an upload.

use std::hint::black_box;

use ancm_frontend::server::{HeadGuard, Verdict};
use criterion::{Criterion, criterion_group, criterion_main};

const HELLO: &[u8] = b"GET /hello HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";

/// As load generators send it.
const WRK: &[u8] =
    b"GET /hello HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: load/1.0\r\nAccept: */*\r\n\r\n";

const BROWSER: &[u8] = b"GET /css/site.min.css?v=47DEQpj8HBSa HTTP/1.1\r\n\
Host: shop.example.com\r\n\
Connection: keep-alive\r\n\
sec-ch-ua: \"Chromium\";v=\"142\", \"Not_A Brand\";v=\"99\"\r\n\
sec-ch-ua-mobile: ?0\r\n\
sec-ch-ua-platform: \"Linux\"\r\n\
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36\r\n\
Accept: text/css,*/*;q=0.1\r\n\
Sec-Fetch-Site: same-origin\r\n\
Sec-Fetch-Mode: no-cors\r\n\
Sec-Fetch-Dest: style\r\n\
Referer: https://shop.example.com/\r\n\
Accept-Encoding: gzip, deflate, br, zstd\r\n\
Accept-Language: en-GB,en;q=0.9\r\n\
Cookie: .AspNetCore.Antiforgery.tiUqj0cXfhQ=CfDJ8Nf3Gd1uR0tDr7pWqWk2m3n; session=0123456789abcdef\r\n\
If-None-Match: \"1db2f1a0c4d5e6f\"\r\n\
\r\n";

fn heads(criterion: &mut Criterion) {
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

criterion_group!(benches, heads);
criterion_main!(benches);
