//! Guesses which name a misspelt one was meant to be.

/// Names longer than any of ours are not compared.
const LONGEST: usize = 64;

/// The known name that is nearest, if one is near enough to be what was meant.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > LONGEST {
        return None;
    }
    let name = name.to_ascii_lowercase();
    let allowed = 1 + name.len() / 5;
    known
        .into_iter()
        .map(|candidate| (distance(&name, &candidate.to_ascii_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many characters must be added, removed, changed or swapped with the next.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut previous = None;
    for (row, c) in a.chars().enumerate() {
        let mut current = vec![row + 1];
        for (column, &d) in b.iter().enumerate() {
            let mut best =
                (last[column] + usize::from(c != d)).min(last[column + 1] + 1).min(current[column] + 1);
            if column > 0 && previous == Some(d) && c == b[column - 1] {
                best = best.min(before_last[column - 1] + 1);
            }
            current.push(best);
        }
        before_last = std::mem::replace(&mut last, current);
        previous = Some(c);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn guesses_what_was_meant() {
        let known = ["processPath", "arguments", "processesPerApplication", "hostingModel"];
        for (name, expected) in [
            ("procesPath", Some("processPath")),
            ("PROCESSPATH ", Some("processPath")),
            ("argumetns", Some("arguments")),
            ("argument", Some("arguments")),
            ("timeout", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, known), expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_two_names_have_a_distance(a in ".{0,20}", b in ".{0,20}") {
            let there = distance(&a, &b);
            prop_assert_eq!(there, distance(&b, &a));
            prop_assert_eq!(there == 0, a == b);
            prop_assert!(there <= a.chars().count().max(b.chars().count()));
        }
    }
}
