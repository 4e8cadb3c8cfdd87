//! Another process of this same program, which ends when its input does: at the latest when we have ended.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdout, Command, Stdio},
};

use crate::Failure;

/// A process that plays a part.
pub(crate) struct Part {
    process: Child,
    output: BufReader<ChildStdout>,
}

// === impl Part ===

impl Part {
    #[expect(clippy::disallowed_methods, reason = "it is no application behind a frontend")]
    pub(crate) fn start(arguments: &[&str]) -> Result<Self, Failure> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process.stdout.take().ok_or("a process without output")?;
        Ok(Self { process, output: BufReader::new(output) })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// What it says next.
    pub(crate) fn line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err("a part of the benchmark has ended early".into());
        }
        Ok(line.trim().to_owned())
    }

    /// Asks it for something; what it says.
    pub(crate) fn ask(&mut self, question: &str) -> Result<String, Failure> {
        if let Some(input) = &mut self.process.stdin {
            writeln!(input, "{question}")?;
        }
        self.line()
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
