//! Refuses files that are no programs for this machine, before anybody tries to run them.
//!
//! The kernel refuses them too (`ENOEXEC`), but the C library's `execvp` then gives them to the shell, and instead of
//! "exec format error" the user would read what a shell makes of a Windows program.

use std::{fs::File, io::Read, path::Path};

use rustix::{
    fs::{Access, access},
    io::Errno,
};

/// The beginning of a file, as far as it tells the format.
type Head = [u8; 20];

const EM_386: u16 = 3;
const EM_ARM: u16 = 40;
const EM_X86_64: u16 = 62;
const EM_AARCH64: u16 = 183;

/// `ENOEXEC` if the kernel would say it. What cannot be read is left to the kernel.
pub(super) fn check(program: &Path) -> Result<(), Errno> {
    // A bare name is yet to be looked up, and what may not be executed has an error of its own.
    if !program.is_absolute() || access(program, Access::EXEC_OK).is_err() {
        return Ok(());
    }
    let (Some(head), Some(ours)) = (head(program), head(Path::new("/proc/self/exe"))) else { return Ok(()) };
    if is_program(&head, &ours) || has_interpreters() { Ok(()) } else { Err(Errno::NOEXEC) }
}

fn head(file: &Path) -> Option<Head> {
    let file = File::open(file).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(20).read_to_end(&mut bytes).ok()?;
    bytes.resize(20, 0);
    bytes.try_into().ok()
}

/// Whether a machine that runs `ours` runs this.
fn is_program(head: &Head, ours: &Head) -> bool {
    // Word size, byte order, and at the end the machine's number in that byte order.
    let machine = |head: &Head| u16::from_ne_bytes([head[18], head[19]]);
    let small_brother = matches!((machine(ours), machine(head)), (EM_X86_64, EM_386) | (EM_AARCH64, EM_ARM));
    let is_elf = head.starts_with(b"\x7fELF") && head[5] == ours[5];
    head.starts_with(b"#!") || is_elf && (machine(head) == machine(ours) || small_brother)
}

/// Whether the administrator has registered interpreters for other formats (`binfmt_misc`).
fn has_interpreters() -> bool {
    let formats = std::fs::read_dir("/proc/sys/fs/binfmt_misc").into_iter().flatten().flatten();
    formats.map(|entry| entry.file_name()).any(|name| name != "register" && name != "status")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(machine: u16) -> Head {
        let mut head = [0; 20];
        head[..6].copy_from_slice(b"\x7fELF\x02\x01");
        head[18..].copy_from_slice(&machine.to_ne_bytes());
        head
    }

    #[test]
    fn knows_programs_of_this_machine_and_scripts() {
        assert!(is_program(&elf(EM_X86_64), &elf(EM_X86_64)));
        assert!(is_program(&elf(EM_386), &elf(EM_X86_64)));
        assert!(is_program(b"#!/usr/bin/env node\n", &elf(EM_X86_64)));
        assert_eq!(check(Path::new("/bin/sh")), Ok(()));
    }

    #[test]
    fn knows_what_is_none() {
        assert!(!is_program(&elf(EM_AARCH64), &elf(EM_X86_64)));
        assert!(!is_program(&elf(EM_X86_64), &elf(EM_386)));
        assert!(!is_program(b"MZ\x90\0~~~~~~~~~~~~~~~~", &elf(EM_X86_64)), "a Windows program");
        assert!(!is_program(&[0; 20], &elf(EM_X86_64)), "an empty file");
    }

    #[test]
    fn leaves_to_the_kernel_what_it_cannot_read() {
        for program in ["/does/not/exist", "/bin", "/etc/passwd", "sh"] {
            assert_eq!(check(Path::new(program)), Ok(()), "{program}");
        }
    }
}
