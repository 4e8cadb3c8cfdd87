//! Whether this machine can run a file, told from its first bytes.
//!
//! The kernel says no more than "exec format error" or "no such file"; people need to know which file, and why.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use super::CommandError;

/// What a file begins with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// A program for this machine, or something that we do not know: let the kernel decide.
    Runnable,
    /// A program for Windows.
    Windows,
    /// A program for some other machine.
    Foreign(String),
    /// `#!` and the path of another program.
    Script(PathBuf),
    /// `#!`, in a file with the line ends of Windows.
    WindowsScript,
    /// Nothing.
    Empty,
}

/// Looks at the first bytes of a file.
pub(super) fn content(path: &Path) -> io::Result<Content> {
    const ENOUGH: u64 = 512;
    let mut head = Vec::new();
    File::open(path)?.take(ENOUGH).read_to_end(&mut head)?;
    Ok(classify(&head, std::env::consts::OS, std::env::consts::ARCH))
}

/// Whether it can be run, by this user and on this machine.
pub(super) fn check(path: &Path) -> Result<(), CommandError> {
    let path = path.to_owned();
    match std::fs::metadata(&path) {
        Err(source) => return Err(CommandError::Unreadable { path, source }),
        Ok(metadata) if metadata.is_dir() => return Err(CommandError::Directory { path }),
        Ok(metadata) if !metadata.is_file() => return Err(CommandError::NotAFile { path }),
        Ok(metadata) => check_permission(&path, &metadata)?,
    }
    // A program may be run without being readable.
    match content(&path).unwrap_or(Content::Runnable) {
        Content::Runnable => Ok(()),
        Content::Windows if cfg!(windows) => Ok(()),
        Content::Windows => {
            Err(CommandError::WrongFormat { path, what: "a program for Windows".into(), fix: None })
        }
        Content::Foreign(what) => Err(CommandError::WrongFormat { path, what, fix: None }),
        Content::Empty => Err(CommandError::WrongFormat { path, what: "empty".into(), fix: None }),
        Content::Script(interpreter) if interpreter.exists() => Ok(()),
        Content::Script(interpreter) => Err(CommandError::NoInterpreter { path, interpreter }),
        Content::WindowsScript => {
            let fix = Some("convert its line ends to those of Unix".into());
            Err(CommandError::WrongFormat {
                path,
                what: "a script with the line ends of Windows".into(),
                fix,
            })
        }
    }
}

/// Whether it is a regular file that this user may run.
pub(super) fn is_executable(path: &Path) -> bool {
    std::fs::metadata(path)
        .is_ok_and(|metadata| metadata.is_file() && check_permission(path, &metadata).is_ok())
}

#[cfg(unix)]
fn check_permission(path: &Path, metadata: &std::fs::Metadata) -> Result<(), CommandError> {
    use std::os::unix::fs::PermissionsExt as _;

    if rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok() {
        return Ok(());
    }
    let path = path.to_owned();
    let anyone = metadata.permissions().mode() & 0o111 != 0;
    Err(if anyone { CommandError::NotPermitted { path } } else { CommandError::NotExecutable { path } })
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "other systems have such a permission")]
fn check_permission(_path: &Path, _metadata: &std::fs::Metadata) -> Result<(), CommandError> {
    Ok(())
}

fn classify(head: &[u8], system: &str, architecture: &str) -> Content {
    match head {
        [] => Content::Empty,
        [b'M', b'Z', ..] => Content::Windows,
        [b'#', b'!', rest @ ..] => script(rest),
        [0x7F, b'E', b'L', b'F', ..] => elf(head, system, architecture),
        [0xFE, 0xED, 0xFA, 0xCE | 0xCF, ..]
        | [0xCE | 0xCF, 0xFA, 0xED, 0xFE, ..]
        | [0xCA, 0xFE, 0xBA, 0xBE, ..]
            if system != "macos" =>
        {
            Content::Foreign("a program for macOS".into())
        }
        _ => Content::Runnable,
    }
}

fn script(rest: &[u8]) -> Content {
    let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if line.ends_with(b"\r") {
        return Content::WindowsScript;
    }
    let line = String::from_utf8_lossy(line);
    let interpreter = line.split_ascii_whitespace().next().unwrap_or_default();
    Content::Script(interpreter.into())
}

fn elf(head: &[u8], system: &str, architecture: &str) -> Content {
    let (Some(&order), Some(&[low, high])) =
        (head.get(5), head.get(18..20).and_then(|pair| pair.first_chunk()))
    else {
        return Content::Foreign("a program that is cut off".into());
    };
    let machine = if order == 2 { u16::from_be_bytes([low, high]) } else { u16::from_le_bytes([low, high]) };
    if matches!(system, "macos" | "windows") {
        return Content::Foreign("a program for Linux".into());
    }
    // Kernels of 64-bit machines run programs of their 32-bit forerunners.
    let runs: &[u16] = match architecture {
        "x86_64" => &[62, 3],
        "x86" => &[3],
        "aarch64" => &[183, 40],
        "arm" => &[40],
        "riscv64" => &[243],
        "powerpc64" => &[21],
        "s390x" => &[22],
        "loongarch64" => &[258],
        _ => return Content::Runnable,
    };
    if runs.contains(&machine) {
        return Content::Runnable;
    }
    let name = match machine {
        3 => "32-bit x86 (x86)",
        62 => "64-bit x86 (x64)",
        40 => "32-bit Arm (arm)",
        183 => "64-bit Arm (arm64)",
        243 => "RISC-V",
        21 => "64-bit PowerPC",
        22 => "IBM Z (s390x)",
        258 => "LoongArch",
        _ => return Content::Foreign(format!("a program for another processor (machine {machine} of ELF)")),
    };
    Content::Foreign(format!("a program for {name} processors"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf_head(order: u8, machine: [u8; 2]) -> Vec<u8> {
        let mut head = b"\x7FELF\x02".to_vec();
        head.push(order);
        head.resize(18, 0);
        head.extend(machine);
        head
    }

    fn on_linux(head: &[u8]) -> Content {
        classify(head, "linux", "x86_64")
    }

    #[test]
    fn knows_programs_of_this_machine_and_its_forerunner() {
        assert_eq!(on_linux(&elf_head(1, [62, 0])), Content::Runnable);
        assert_eq!(on_linux(&elf_head(1, [3, 0])), Content::Runnable);
        assert_eq!(classify(&elf_head(1, [62, 0]), "linux", "vax"), Content::Runnable);
    }

    #[test]
    fn names_the_machine_of_a_foreign_program() {
        for (head, expected) in [
            (elf_head(1, [183, 0]), "a program for 64-bit Arm (arm64) processors"),
            (elf_head(2, [0, 22]), "a program for IBM Z (s390x) processors"),
            (elf_head(1, [9, 9]), "a program for another processor (machine 2313 of ELF)"),
            (b"\x7FELF\x02".to_vec(), "a program that is cut off"),
            (b"\xCF\xFA\xED\xFE....".to_vec(), "a program for macOS"),
            (b"\xCA\xFE\xBA\xBE....".to_vec(), "a program for macOS"),
        ] {
            assert_eq!(on_linux(&head), Content::Foreign(expected.into()));
        }
        assert_eq!(
            classify(&elf_head(1, [62, 0]), "macos", "x86_64"),
            Content::Foreign("a program for Linux".into())
        );
    }

    #[test]
    fn knows_windows_programs_scripts_and_nothing() {
        assert_eq!(on_linux(b"MZ\x90"), Content::Windows);
        assert_eq!(on_linux(b"#! /usr/bin/env python3\nx"), Content::Script("/usr/bin/env".into()));
        assert_eq!(on_linux(b"#!/bin/sh"), Content::Script("/bin/sh".into()));
        assert_eq!(on_linux(b"#!/bin/sh\r\n"), Content::WindowsScript);
        assert_eq!(on_linux(b""), Content::Empty);
        assert_eq!(on_linux(b"x"), Content::Runnable);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_classified(mut head in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..40), elf: bool) {
            if elf {
                head.splice(0..0, *b"\x7FELF");
            }
            on_linux(&head);
        }
    }
}
