//! What a thousand slow downloads cost the frontend in memory.

use std::{fmt::Write as _, net::SocketAddr, thread, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
    task::LocalSet,
    time::sleep,
};

use crate::{Failure, Options, frontend, processes};

const CLIENTS: usize = 1_000;
/// What each reads at once, and how often: 40 KB/s.
const PIECE: usize = 4 << 10;
const EVERY: Duration = Duration::from_millis(100);
/// How long they go on; the longer answers are not read to their end.
const TIME: Duration = Duration::from_secs(8);
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Measures, and tells.
pub(crate) fn measure(options: &Options) -> Result<String, Failure> {
    let mut text = format!(
        "\nMemory of the frontend (resident, guard included) with {CLIENTS} clients that read {PIECE} bytes every {} ms:\n\n\
         | answer | before | most | after |\n|---|---:|---:|---:|\n",
        EVERY.as_millis()
    );
    for mebibytes in [1, 16, 256] {
        eprintln!("memory: {CLIENTS} downloads of {mebibytes} MiB");
        let workers = thread::available_parallelism()?.get();
        let (part, address) = frontend::start(workers, &options.out.join("site"), &["/"])?;
        let family = frontend_processes(part.pid());
        let memory = || processes::memory(&family).resident as f64 / 1024.0;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let tasks = LocalSet::new();
        tasks.block_on(&runtime, client(address, 1))?;
        let before = memory();
        for _ in 0..CLIENTS {
            tasks.spawn_local(async move {
                if let Err(error) = client(address, mebibytes << 20).await {
                    eprintln!("a client: {error}");
                }
            });
        }
        let mut most = before;
        tasks.block_on(&runtime, async {
            for _ in 0..TIME.as_millis() / LOOK_EVERY.as_millis() {
                sleep(LOOK_EVERY).await;
                most = most.max(memory());
            }
        });
        drop(tasks);
        thread::sleep(Duration::from_secs(1));
        writeln!(text, "| {mebibytes} MiB | {before:.1} MiB | {most:.1} MiB | {:.1} MiB |", memory())?;
    }
    Ok(text)
}

/// The frontend and its guard, without the application, though all run the same program.
fn frontend_processes(root: u32) -> Vec<u32> {
    let mut family = vec![root];
    family.extend(processes::tree(root).into_iter().filter(|pid| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        *pid != root && !line.split(|byte| *byte == 0).any(|word| word == b"application")
    }));
    family
}

/// Reads an answer of this length, slowly.
async fn client(address: SocketAddr, length: u64) -> std::io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    // Little fits between the frontend and the client: what it does not hold itself is not sent yet.
    socket.set_recv_buffer_size(8 << 10)?;
    let mut stream = socket.connect(address).await?;
    let request = format!("GET /bytes/{length} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut buffer = vec![0; PIECE];
    while stream.read(&mut buffer).await? > 0 {
        sleep(EVERY).await;
    }
    Ok(())
}
