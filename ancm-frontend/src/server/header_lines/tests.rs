//! What is recalled is what would be read.

use std::cell::Cell;

use proptest::prelude::*;

use super::*;
use crate::server::head_guard::{Fault, Framing};

const LINE: &str = "GET / HTTP/1.1\r\n";

/// What is found in a head that comes in pieces of so many bytes.
#[derive(Debug, PartialEq)]
struct Found {
    length: usize,
    guard: String,
    headers: HeaderMap,
    said: String,
}

/// Reads a head as nobody has before.
fn read(head: &str) -> Result<Found, Fault> {
    let read = |head: &Bytes, reader: &HeadReader| {
        HeaderLines::of(&head.slice(reader.fields_at()..), reader.lines())
    };
    find(head, usize::MAX, |_| None, read).map(|(found, _)| found)
}

/// Reads a head that comes in pieces of so many bytes; its lines may be known, those of whoever was last at once.
fn recall(head: &str, piece: usize) -> Result<(Found, Habit), Fault> {
    recall_after(Habit::default(), head, piece)
}

/// Reads a head of a client that has this habit.
fn recall_after(mut habit: Habit, head: &str, piece: usize) -> Result<(Found, Habit), Fault> {
    let compared = Cell::new(habit);
    find(
        head,
        piece,
        |bytes| {
            let recalled = HeaderLines::recall(&mut habit, bytes);
            compared.set(habit);
            recalled
        },
        |head, reader| HeaderLines::read(head, reader, compared.get()),
    )
}

/// The habit of a client that has sent these lines again and again, so that they have a place, whosever it was.
fn learn(lines: &str) -> Habit {
    let [.., (_, habit)] = [0; 3].map(|_| recall(&format!("{LINE}{lines}"), usize::MAX).unwrap());
    habit
}

fn find(
    head: &str,
    piece: usize,
    mut recall: impl FnMut(&[u8]) -> Option<(usize, Passed, HeaderLines)>,
    read: impl Fn(&Bytes, &HeadReader) -> Result<HeaderLines, Refusal>,
) -> Result<(Found, Habit), Fault> {
    let (mut reader, mut recalled, mut length) = (HeadReader::new(), None, None);
    for piece in head.as_bytes().chunks(piece) {
        length = reader.follow(piece, |bytes| {
            let (length, passed, lines) = recall(bytes)?;
            recalled = Some(lines);
            Some((length, passed))
        })?;
        if length.is_some() {
            break;
        }
    }
    let length = length.expect("the head is whole");
    let head = Bytes::copy_from_slice(&head.as_bytes()[..length]);
    let HeaderLines { headers, said, habit } = recalled.unwrap_or_else(|| read(&head, &reader).unwrap());
    let guard = format!("{:?} {} {}", reader.framing(), reader.may_switch(), reader.is_old());
    Ok((Found { length, guard, headers, said: format!("{said:?}") }, habit))
}

#[test]
fn lines_are_recalled_when_they_come_for_the_third_time() {
    let lines = "Host: a\r\nCookie: recalled\r\n\r\n";
    let known = || HeaderLines::recall(&mut Habit::default(), b"Host: a\r\nCookie: recalled\r\n\r\nGET");
    for _ in 0..2 {
        assert!(known().is_none());
        recall(&format!("{LINE}{lines}"), usize::MAX).unwrap();
    }
    let (length, _, recalled) = known().unwrap();
    assert_eq!(length, lines.len());
    assert_eq!(recalled.headers["cookie"], "recalled");
    assert!(HeaderLines::recall(&mut Habit::default(), &lines.as_bytes()[1..]).is_none());
}

#[test]
fn lines_are_recalled_where_this_client_sent_its_last() {
    let lines = |client: usize| format!("Host: {client}\r\n\r\n");
    // Of the others, one may by chance have our place.
    let kept = (1..9).find_map(|other| {
        let (habit, _) = (learn(&lines(0)), learn(&lines(other)));
        let [ours, theirs] =
            [0, other].map(|client| HeaderLines::recall(&mut { habit }, lines(client).as_bytes()).is_some());
        ours.then_some(theirs)
    });
    assert_eq!(kept, Some(false));
}

#[test]
fn lines_are_recalled_with_other_values() {
    let lines = |id: usize| {
        format!("Host: a\r\nAccept: {}\r\nTraceparent:\t{id} \r\nCookie: {id}\r\n\r\n", "x".repeat(id))
    };
    let mut habit = Habit::default();
    for id in 0..2 {
        assert!(HeaderLines::recall(&mut { habit }, lines(id).as_bytes()).is_none());
        (_, habit) = recall_after(habit, &format!("{LINE}{}", lines(id)), usize::MAX).unwrap();
    }
    for id in [1, 7, 0] {
        let (length, _, recalled) = HeaderLines::recall(&mut { habit }, lines(id).as_bytes()).unwrap();
        assert_eq!(length, lines(id).len());
        let values: Vec<_> = recalled.headers.values().collect();
        assert_eq!(values, ["a", &"x".repeat(id), &id.to_string(), &id.to_string()]);
    }
}

#[test]
fn other_values_are_compared_with_ones_own_only() {
    let lines = |id: &str| format!("Host: a\r\nX: {id}\r\n\r\n");
    let own = learn(&lines("1"));
    for (habit, is_own) in [(own, true), (Habit::default(), false)] {
        assert!(HeaderLines::recall(&mut { habit }, lines("1").as_bytes()).is_some());
        assert_eq!(HeaderLines::recall(&mut { habit }, lines("2").as_bytes()).is_some(), is_own);
    }
}

#[test]
fn what_is_never_alike_is_compared_in_vain_but_a_few_times() {
    let lines = |id: usize| format!("Host: a\r\nConnection: close\r\nConnection: {id}\r\n\r\n");
    let mut habit = Habit::default();
    let in_vain = (0..6).map(|id| {
        (_, habit) = recall_after(habit, &format!("{LINE}{}", lines(id)), usize::MAX).unwrap();
        habit.in_vain
    });
    // The first has nothing to be compared with, and is not remembered yet when the second comes.
    assert_eq!(in_vain.collect::<Vec<_>>(), [0, 0, 1, PATIENCE, PATIENCE, PATIENCE]);
    // Till some come again.
    let mut habit = Habit { in_vain: PATIENCE, ..learn(&lines(6)) };
    HeaderLines::recall(&mut habit, lines(6).as_bytes()).unwrap();
    assert_eq!(habit.in_vain, 0);
}

#[test]
fn other_lines_between_do_no_harm() {
    let mut habit = Habit::default();
    for lines in ["X: 1", "Y: 1", "X: 2", "X: 3"] {
        let lines = format!("Host: a\r\n{lines}\r\n\r\n");
        (_, habit) = recall_after(habit, &format!("{LINE}{lines}"), usize::MAX).unwrap();
    }
    assert_eq!((habit.in_vain, habit.alike), (0, 1));
}

#[test]
fn other_values_that_have_come_to_stay_are_remembered() {
    let lines = |id: usize| format!("{LINE}Host: a\r\nX: {id}\r\n\r\n");
    let mut habit = Habit::default();
    let alike = [1, 1, 1].into_iter().chain([2; 2 * ALIKE as usize]).map(|id| {
        (_, habit) = recall_after(habit, &lines(id), usize::MAX).unwrap();
        habit.alike
    });
    let alike: Vec<_> = alike.collect();
    assert_eq!((alike[2], alike[3]), (0, 1));
    assert_eq!(alike[2 + usize::from(ALIKE)], ALIKE);
    assert!(alike[3 + usize::from(ALIKE)..].iter().all(|&alike| alike == 0));
}

#[test]
fn what_is_hopeless_is_not_compared() {
    let lines = |id: usize| format!("Host: a\r\nX: {id}\r\n\r\n");
    let known = learn(&lines(1));
    for (in_vain, is_recalled) in [(PATIENCE - 1, true), (PATIENCE, false)] {
        let habit = Habit { in_vain, ..known };
        assert_eq!(HeaderLines::recall(&mut { habit }, lines(2).as_bytes()).is_some(), is_recalled);
    }
}

#[test]
fn lines_that_are_too_many_to_be_remembered_are_no_habit() {
    let lines = format!("Host: a\r\n{}\r\n", "X: 1\r\n".repeat(99));
    assert!(learn("Host: a\r\n\r\n").spot.is_some());
    assert!(learn(&lines).spot.is_none());
}

#[test]
fn another_length_is_another_body() {
    let lines = |length: &str| format!("Host: a\r\nContent-Length: {length}\r\n\r\n");
    let habit = learn(&lines("3"));
    let framing = |length: &str| {
        let (_, passed, _) = HeaderLines::recall(&mut { habit }, lines(length).as_bytes())?;
        let mut reader = HeadReader::new();
        reader.follow(b"PUT / HTTP/1.1\r\n", |_| Some((0, passed))).unwrap();
        Some(reader.framing())
    };
    assert_eq!(["3", "42", "0"].map(framing), [3, 42, 0].map(|length| Some(Framing::Length(length))));
    assert_eq!(["", "-1", "1 1", "1, 1", "18446744073709551616", "1\r"].map(framing), [None; 6]);
}

#[test]
fn what_the_connection_depends_on_is_read_again() {
    for name in ["Host", "Connection", "TE", "Expect", "Upgrade", "Transfer-Encoding"] {
        let lines = |value: &str| match name {
            "Host" => format!("Host: {value}\r\nX: 1\r\n\r\n"),
            _ => format!("Host: a\r\n{name}: {value}\r\nX: 1\r\n\r\n"),
        };
        let habit = learn(&lines("chunked"));
        assert!(HeaderLines::recall(&mut { habit }, lines("chunked").as_bytes()).is_some(), "{name}");
        assert!(HeaderLines::recall(&mut { habit }, lines("chunkes").as_bytes()).is_none(), "{name}");
    }
}

#[test]
fn what_is_not_the_same_but_for_values_is_read_again() {
    let habit = learn("Host: a\r\nX: 1\r\nY: 1\r\ny: 2\r\n\r\n");
    let known = |text: &str| HeaderLines::recall(&mut { habit }, text.as_bytes()).is_some();
    assert!(known("Host: a\r\nX: 2\r\nY: 1\r\ny: 2\r\n\r\n"));
    for other in [
        "Host: a\r\nX: 1\r\nY: 3\r\ny: 2\r\n\r\n",
        "Host: a\r\nx: 2\r\nY: 1\r\ny: 2\r\n\r\n",
        "Host: a\r\nX : 2\r\nY: 1\r\ny: 2\r\n\r\n",
        "Host: a\r\nX: 2\nY: 1\r\ny: 2\r\n\r\n",
        "Host: a\r\nX: 2\r\n folded\r\nY: 1\r\ny: 2\r\n\r\n",
        "Host: a\r\nX: \x01\r\nY: 1\r\ny: 2\r\n\r\n",
        "Host: a\r\nX: 2\r\nY: 1\r\ny: 2\r\nZ: 1\r\n\r\n",
        "Host: a\r\nX: 2\r\nY: 1\r\n\r\n",
        "Host: a\r\nX: 2\r\nY: 1\r\ny: 2\r\n\r",
        "Host: a\r\nX: 2\r\nY: 1\r\ny: 2\r\n",
        "Host: a\r\nX: 2",
        "Host: a\r\nX",
    ] {
        assert!(!known(other), "{other:?}");
    }
}

#[test]
fn credentials_are_read_each_time() {
    let lines = |id: &str| format!("Host: a\r\nCookie: s\r\nAuthorization: s\r\nX: {id}\r\n\r\n");
    let habit = learn(&lines("1"));
    let [same, other] =
        ["1", "2"].map(|id| HeaderLines::recall(&mut { habit }, lines(id).as_bytes()).unwrap().2.headers);
    for (name, is_shared) in [("host", true), ("cookie", false), ("authorization", false), ("x", false)] {
        let [known, other] = [&same, &other].map(|headers| headers[name].as_bytes().as_ptr());
        assert_eq!(known == other, is_shared, "{name}");
    }
}

#[test]
fn what_is_remembered_holds_no_more_than_the_lines() {
    let lines = "Host: a\r\nX: compact\r\n\r\n";
    let head = Bytes::from(format!("{LINE}{lines}{}", "x".repeat(10_000)));
    let mut reader = HeadReader::new();
    reader.follow(&head, |_| None).unwrap();
    for _ in 0..2 {
        HeaderLines::read(&head.slice(..LINE.len() + lines.len()), &reader, Habit::default()).unwrap();
    }
    let (_, _, recalled) = HeaderLines::recall(&mut Habit::default(), lines.as_bytes()).unwrap();
    assert!(!head.as_ptr_range().contains(&recalled.headers["x"].as_bytes().as_ptr()));
}

#[test]
fn the_same_lines_mean_something_else_in_an_old_request() {
    let lines = "Host: a\r\nUpgrade: x\r\n\r\n";
    let [new, old] = ["1", "0"].map(|minor| format!("GET / HTTP/1.{minor}\r\n{lines}"));
    for _ in 0..3 {
        for head in [&old, &new, &old] {
            let (found, _) = recall(head, usize::MAX).unwrap();
            assert_eq!(found.guard, format!("Unsaid {} {}", head == &new, head == &old));
        }
    }
}

#[test]
fn refuses_more_lines_than_anybody_takes() {
    let mut reader = HeadReader::new();
    let head = format!("GET / HTTP/1.0\r\n{}\r\n", "x: y\r\n".repeat(MOST_LINES + 1));
    reader.follow(head.as_bytes(), |_| None).unwrap();
    assert_eq!(HeaderLines::read(&Bytes::from(head), &reader, Habit::default()).unwrap_err().status(), 431);
}

proptest! {
    #[test]
    fn what_is_recalled_is_what_would_be_read(
        heads in proptest::collection::vec(
            (
                proptest::sample::select(vec!["GET / HTTP/1.1", "POST /a HTTP/1.0", "\r\nPUT * HTTP/1.1"]),
                proptest::collection::vec(
                    proptest::sample::select(vec![
                        "Host: a", "Host:b", "X: 1", "X:  2\t", "x: 2", "A: 1", "A:", "Cookie: 1", "Cookie: 2", "C: \u{7f}",
                        "Content-Length: 3", "Transfer-Encoding: chunked",
                        "Connection: close", "Connection: keep-alive, Upgrade", "Upgrade: y", "TE: trailers",
                        "Expect: 100-continue", "Bad Name: 1", " folded", "Content-Length: 4",
                    ]),
                    0..9,
                ),
                1..99_usize,
            ),
            1..40,
        ),
    ) {
        let mut habit = Habit::default();
        for (line, lines, piece) in heads {
            let head = [&[line], &lines[..], &["\r\n"]].concat().join("\r\n");
            let read = read(&head);
            for piece in [piece, usize::MAX] {
                let recalled = recall_after(habit, &head, piece);
                if let Ok((_, now)) = &recalled {
                    habit = *now;
                }
                prop_assert_eq!(&recalled.map(|(found, _)| found), &read);
            }
        }
    }

    #[test]
    fn what_is_recalled_with_other_values_is_what_would_be_read(
        names in proptest::collection::vec(
            proptest::sample::select(vec![
                "X", "x", "A", "Cookie", "Content-Length", "Connection", "Upgrade", "TE", "Transfer-Encoding",
                "Expect", "Authorization",
            ]),
            1..6,
        ),
        requests in proptest::collection::vec(
            (proptest::sample::select(vec![usize::MAX, usize::MAX, 20]), proptest::collection::vec(
                proptest::sample::select(vec![
                    "1", "1", "22", "", " 3\t", "close", "upgrade", "trailers", "chunked", "\u{7f}", "1\n", "1\r\n",
                    "100-continue",
                ]),
                5,
            )),
            2..20,
        ),
    ) {
        let mut habit = Habit::default();
        for (piece, values) in requests {
            let lines = names.iter().zip(values).map(|(name, value)| format!("{name}: {value}\r\n"));
            let head = format!("{LINE}Host: a\r\n{}\r\n", lines.collect::<String>());
            let recalled = recall_after(habit, &head, piece);
            if let Ok((_, now)) = &recalled {
                habit = *now;
            }
            prop_assert_eq!(&recalled.map(|(found, _)| found), &read(&head));
        }
    }
}
