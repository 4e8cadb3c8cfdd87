//! The program `ancm`.

fn main() {}
