//! The application `site` without a frontend.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use crate::support::kestrel;

/// Kestrel, on a port of its own.
#[derive(Debug)]
pub(super) struct Kestrel {
    child: Child,
    address: SocketAddr,
}

// === impl Kestrel ===

impl Kestrel {
    /// None if the applications are not at hand.
    pub(super) fn start() -> Option<Self> {
        const LISTENING: &str = "Now listening on: http://";

        let folder = kestrel()?;
        #[expect(clippy::disallowed_methods, reason = "it runs without the program that is tested")]
        let mut command = Command::new(folder.join("dotnet/dotnet"));
        command
            .arg("Site.dll")
            .current_dir(folder.join("site"))
            .env("DOTNET_ROOT", folder.join("dotnet"))
            .env("ASPNETCORE_URLS", "http://127.0.0.1:0")
            .env("Logging__LogLevel__Microsoft.AspNetCore", "Warning")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().expect("dotnet starts");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let line = lines.by_ref().map_while(Result::ok).find(|line| line.contains(LISTENING));
        let line = line.expect("Kestrel listens");
        let (_, address) = line.split_once(LISTENING).expect("the line was looked for");
        let address = address.trim().parse().expect("an address");
        // A full pipe would stop it.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { child, address })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Kestrel {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
