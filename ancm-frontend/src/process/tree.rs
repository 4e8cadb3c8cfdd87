//! tree
use std::io;
/// stat
pub(crate) struct Stat {
    pub(crate) start_time: u64,
}
impl Stat {
    pub(crate) fn read(_pid: u32) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }
    pub(crate) fn has_ended(&self) -> bool {
        false
    }
}
/// desc
pub fn descendants(_pid: u32) -> io::Result<Vec<u32>> {
    Err(io::ErrorKind::Unsupported.into())
}
