//! Where the pieces of a log end up: a file, the next when it is full, and a new try after each failure.

use std::{
    io::{self, Write},
    time::Duration,
};

use tokio::time::Instant;

/// How long after a failure a file is not tried again, and how often it is looked for.
const PAUSE: Duration = Duration::from_secs(1);

/// A piece of the stream.
pub(super) struct Piece {
    pub(super) bytes: Vec<u8>,
    /// Whether something was dropped just before.
    pub(super) after_gap: bool,
}

/// Where files come from.
pub(crate) trait Place {
    type File: Write;

    /// Makes or reopens the file.
    fn open(&mut self) -> io::Result<Self::File>;

    /// Begins the next file.
    fn next(&mut self) -> io::Result<Self::File> {
        self.open()
    }

    /// The bytes that one file may have.
    fn max_size(&self) -> Option<u64> {
        None
    }

    /// Whether the next file is due although this one is not full.
    fn is_old(&self) -> bool {
        false
    }

    /// The bytes that a file has already.
    fn length(&self, _file: &Self::File) -> u64 {
        0
    }

    /// Whether the file was deleted.
    fn is_gone(&self, _file: &Self::File) -> bool {
        false
    }

    /// Removes what is not kept any more.
    fn tidy(&mut self) {}
}

/// Why something was not written.
#[derive(Debug)]
pub(super) enum Failure {
    /// The file cannot be made.
    Open(io::Error),
    /// It cannot be written to.
    Write(io::Error),
}

/// The file, and what is known of its last line.
pub(super) struct Target<P: Place> {
    place: P,
    file: Option<P::File>,
    size: u64,
    mid_line: bool,
    torn: bool,
    /// No file is made before.
    not_before: Option<Instant>,
    /// When to look next whether the file is still there.
    look_at: Instant,
}

// === impl Target ===

impl<P: Place> Target<P> {
    pub(super) fn new(place: P) -> Self {
        let look_at = Instant::now() + PAUSE;
        Self { place, file: None, size: 0, mid_line: false, torn: false, not_before: None, look_at }
    }

    /// Makes the file, if there is none; not sooner than a second after that has failed.
    pub(super) fn open(&mut self) -> Result<(), Failure> {
        if self.file.is_some() || self.must_wait() {
            return Ok(());
        }
        match self.place.open() {
            Ok(file) => {
                self.begin(file);
                Ok(())
            }
            Err(error) => {
                self.not_before = Some(Instant::now() + PAUSE);
                Err(Failure::Open(error))
            }
        }
    }

    /// Writes a piece; after a gap it begins on a line of its own. The error tells how much was written.
    pub(super) fn write(&mut self, piece: &Piece) -> Result<(), (usize, Failure)> {
        self.look();
        self.open().map_err(|failure| (0, failure))?;
        if (piece.after_gap || self.torn) && self.mid_line {
            self.write_all(b"\n").map_err(|(_, failure)| (0, failure))?;
        }
        let mut written = 0;
        self.torn = true;
        while written < piece.bytes.len() {
            let rest = &piece.bytes[written..];
            let length = self.fitting(rest);
            let part = self.write_all(&rest[..length]);
            part.map_err(|(count, failure)| (written + count, failure))?;
            written += length;
        }
        self.torn = false;
        Ok(())
    }

    /// Removes what is not kept any more; for when nothing is written.
    pub(super) fn tidy(&mut self) {
        if self.file.is_some() {
            self.place.tidy();
        }
    }

    /// How many of these bytes go into the file, which may be another one by then; at least one.
    fn fitting(&mut self, bytes: &[u8]) -> usize {
        loop {
            let old = self.place.is_old();
            let room = match self.place.max_size() {
                _ if old => 0,
                Some(most) => usize::try_from(most.saturating_sub(self.size)).unwrap_or(usize::MAX),
                None => usize::MAX,
            };
            if bytes.len() <= room {
                return bytes.len();
            }
            let end_of_line = |part: &[u8]| part.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
            if let Some(length) = end_of_line(&bytes[..room]) {
                return length;
            }
            // A line is never divided; so a file with a longer one is too large.
            let first_line = || bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1);
            if self.mid_line || self.size == 0 || !self.roll() {
                return first_line();
            }
        }
    }

    /// Goes on in the next file; if there can be none, in this one.
    fn roll(&mut self) -> bool {
        if self.must_wait() {
            return false;
        }
        match self.place.next() {
            Ok(file) => {
                self.begin(file);
                true
            }
            Err(error) => {
                self.not_before = Some(Instant::now() + PAUSE);
                tracing::debug!(target: "server", %error, "no further log file can be made");
                false
            }
        }
    }

    fn begin(&mut self, file: P::File) {
        self.size = self.place.length(&file);
        self.file = Some(file);
        self.not_before = None;
        self.mid_line = false;
    }

    fn must_wait(&self) -> bool {
        self.not_before.is_some_and(|time| Instant::now() < time)
    }

    /// Lets go of a file that was deleted.
    fn look(&mut self) {
        let now = Instant::now();
        if now >= self.look_at {
            self.look_at = now + PAUSE;
            let place = &self.place;
            self.file.take_if(|file| place.is_gone(file));
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), (usize, Failure)> {
        let Some(file) = &mut self.file else {
            return Err((0, Failure::Open(io::ErrorKind::NotFound.into())));
        };
        let mut written = 0;
        while written < bytes.len() {
            match file.write(&bytes[written..]) {
                Ok(0) => return Err((written, Failure::Write(io::ErrorKind::WriteZero.into()))),
                Ok(count) => {
                    written += count;
                    self.size += count as u64;
                    self.mid_line = bytes[written - 1] != b'\n';
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err((written, Failure::Write(error))),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files in memory that together take so many bytes.
    #[derive(Default)]
    struct Disk {
        room: std::rc::Rc<std::cell::Cell<usize>>,
        most: Option<u64>,
        files: Vec<std::rc::Rc<std::cell::RefCell<Vec<u8>>>>,
        refuses: bool,
    }

    struct Room(std::rc::Rc<std::cell::RefCell<Vec<u8>>>, std::rc::Rc<std::cell::Cell<usize>>);

    impl Write for Room {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.1.get());
            self.0.borrow_mut().extend_from_slice(&bytes[..count]);
            self.1.set(self.1.get() - count);
            if count == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(count) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Place for Disk {
        type File = Room;

        fn open(&mut self) -> io::Result<Room> {
            if self.refuses {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            let file = std::rc::Rc::default();
            self.files.push(std::rc::Rc::clone(&file));
            Ok(Room(file, std::rc::Rc::clone(&self.room)))
        }

        fn max_size(&self) -> Option<u64> {
            self.most
        }

        fn length(&self, file: &Room) -> u64 {
            file.0.borrow().len() as u64
        }
    }

    fn target(room: usize, most: Option<u64>) -> Target<Disk> {
        let disk = Disk { most, ..Disk::default() };
        disk.room.set(room);
        Target::new(disk)
    }

    fn piece(text: &str, after_gap: bool) -> Piece {
        Piece { bytes: text.into(), after_gap }
    }

    fn contents(target: &Target<Disk>) -> Vec<String> {
        let text = |file: &std::rc::Rc<std::cell::RefCell<Vec<u8>>>| String::from_utf8(file.borrow().clone());
        target.place.files.iter().map(|file| text(file).unwrap()).collect()
    }

    #[test]
    fn begins_a_new_line_after_what_the_disk_did_not_take() {
        let mut target = target(8, None);
        let (written, failure) = target.write(&piece("one\ntwo\nthree\n", false)).unwrap_err();
        assert_eq!(written, 8);
        assert!(matches!(failure, Failure::Write(error) if error.kind() == io::ErrorKind::StorageFull));
        assert!(target.write(&piece("four\n", false)).is_err());
        target.place.room.set(2);
        assert!(target.write(&piece("five\n", false)).is_err());
        target.place.room.set(90);
        target.write(&piece("six\n", false)).unwrap();
        assert_eq!(contents(&target), ["one\ntwo\nfi\nsix\n"]);
    }

    #[test]
    fn begins_a_new_line_after_a_gap_only_in_the_middle_of_one() {
        let mut target = target(100, None);
        for (text, after_gap) in [("a\n", true), ("b\nc", true), ("d", false), ("e", true)] {
            target.write(&piece(text, after_gap)).unwrap();
        }
        assert_eq!(contents(&target), ["a\nb\ncd\ne"]);
    }

    #[test]
    fn goes_on_in_another_file_at_the_end_of_the_last_line_that_fits() {
        let mut target = target(100, Some(10));
        for text in ["12345\n12", "34\n", "a line that is too long\nx\n", "y", "yyyyyyyyyyyy\nz\n"] {
            target.write(&piece(text, false)).unwrap();
        }
        let expected = ["12345\n1234\n", "a line that is too long\n", "x\nyyyyyyyyyyyyy\n", "z\n"];
        assert_eq!(contents(&target), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn writes_on_where_no_further_file_can_be_made_and_tries_again_later() {
        let mut target = target(100, Some(4));
        target.write(&piece("one\n", false)).unwrap();
        target.place.refuses = true;
        target.write(&piece("two\n", false)).unwrap();
        target.place.refuses = false;
        target.write(&piece("three\n", false)).unwrap();
        tokio::time::advance(PAUSE).await;
        target.write(&piece("four\n", false)).unwrap();
        assert_eq!(contents(&target), ["one\ntwo\nthree\n", "four\n"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_cannot_be_made_is_tried_again_a_second_later() {
        let mut target = target(100, None);
        target.place.refuses = true;
        assert!(matches!(target.open(), Err(Failure::Open(_))));
        target.place.refuses = false;
        assert_eq!(target.write(&piece("one\n", false)).unwrap_err().0, 0);
        tokio::time::advance(PAUSE).await;
        target.write(&piece("two\n", true)).unwrap();
        assert_eq!(contents(&target), ["two\n"]);
    }
}
