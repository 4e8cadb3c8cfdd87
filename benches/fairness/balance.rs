//! How the kernel spreads connections over the workers.

use std::{
    collections::HashMap,
    fmt::Write as _,
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
};

use crate::{Failure, Options, frontend, part::Part};

const CONNECTIONS: [usize; 3] = [2, 8, 64];
/// How often each number is tried.
const TRIES: usize = 20;

/// Measures, and tells.
pub(crate) fn measure(options: &Options) -> Result<String, Failure> {
    let workers = thread::available_parallelism()?.get();
    let (mut frontend, address) = frontend::start(workers, &options.out.join("site"), &["/"])?;
    let mut text = format!(
        "\nConnections of the busiest of {workers} workers, over {TRIES} tries (even: {} of 64):\n\n\
         | connections | fewest | median | most | largest share |\n|---:|---:|---:|---:|---:|\n",
        64 / workers
    );
    for connections in CONNECTIONS {
        eprintln!("balance: {connections} connections");
        let mut most = (0..TRIES)
            .map(|_| busiest(&mut frontend, address, connections))
            .collect::<Result<Vec<_>, _>>()?;
        most.sort_unstable();
        let worst = most[TRIES - 1];
        writeln!(
            text,
            "| {connections} | {} | {} | {worst} | {:.0} % |",
            most[0],
            most[TRIES / 2],
            100.0 * worst as f64 / connections as f64
        )?;
    }
    Ok(text)
}

/// Opens so many connections, each of which is answered once; how many the busiest worker got.
fn busiest(frontend: &mut Part, address: SocketAddr, connections: usize) -> Result<usize, Failure> {
    let before = counts(frontend)?;
    let open: Vec<_> = (0..connections).map(|_| answered(address)).collect::<io::Result<_>>()?;
    let after = counts(frontend)?;
    drop(open);
    let got = after.iter().map(|(name, count)| count - before.get(name).unwrap_or(&0));
    let (sum, most) = got.fold((0, 0), |(sum, most), got| (sum + got, most.max(got)));
    if sum == connections { Ok(most) } else { Err(format!("{sum} of {connections} were counted").into()) }
}

fn counts(frontend: &mut Part) -> Result<HashMap<String, usize>, Failure> {
    let told = frontend.ask("count")?;
    let each = |text: &str| {
        let (name, count) = text.split_once('=').ok_or("not a count")?;
        Ok((name.to_owned(), count.parse()?))
    };
    told.split_whitespace().map(each).collect()
}

fn answered(address: SocketAddr) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")?;
    let mut answer = [0; 1_024];
    let read = stream.read(&mut answer)?;
    if answer[..read].starts_with(b"HTTP/1.1 200") {
        Ok(stream)
    } else {
        Err(io::Error::other("it was not answered"))
    }
}
