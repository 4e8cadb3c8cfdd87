//! A backend for tests: this very test program, started once more to play one of several parts.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

/// Names the part.
pub(super) const PART: &str = "ANCM_TEST_PART";
/// What makes this program play it.
pub(super) const ARGUMENTS: &str = "supervisor::tests::backend::plays_its_part --exact --nocapture";

#[test]
fn plays_its_part() {
    let Ok(part) = env::var(PART) else { return };
    let number = |name: &str| env::var(name).unwrap().parse::<u16>().unwrap();
    let token = env::var("ASPNETCORE_TOKEN").unwrap();
    println!("port {} pid {} token {token} end", number("ASPNETCORE_PORT"), std::process::id());
    match part.as_str() {
        "paired" | "deaf" => serve(number("ASPNETCORE_PORT"), &token, &part),
        "plain" => serve(number("ASPNETCORE_PORT"), "nobody knows", &part),
        "elsewhere" => serve(number("ANCM_TEST_PORT"), &token, &part),
        "exits" => {
            eprintln!("cannot go on");
            std::process::exit(3);
        }
        _ => thread::sleep(Duration::from_secs(600)),
    }
}

fn serve(port: u16, token: &str, role: &str) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    for stream in listener.incoming() {
        let (token, role) = (token.to_owned(), role.to_owned());
        thread::spawn(move || answer(stream.unwrap(), &token, &role));
    }
}

fn answer(mut stream: TcpStream, token: &str, role: &str) {
    let mut head = Vec::new();
    let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
    head.extend(lines.by_ref().take_while(|line| !line.is_empty()));
    let is_shutdown = head.first().is_some_and(|line| line == "POST /app/iisintegration HTTP/1.1")
        && head.contains(&format!("MS-ASPNETCORE-TOKEN: {token}"))
        && head.contains(&"MS-ASPNETCORE-EVENT: shutdown".to_owned())
        && head.contains(&"Host:".to_owned());
    if is_shutdown {
        stream.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n").unwrap();
        println!("asked to stop");
        if role == "paired" {
            std::process::exit(0);
        }
    } else {
        println!("no such page");
        let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    }
}
