//! Facts about processes, asked of the kernel.

/// A process that cannot be mistaken for another one that got its number.
#[derive(Clone, Debug)]
pub struct ProcessHandle {}
