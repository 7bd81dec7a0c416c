//! Patterns of keys: `*`, `?`, `[a-z]`, `[^a]`, and `\` before a byte that is meant itself.

/// Whether the whole key is meant by the pattern.
pub(super) fn matches(pattern: &[u8], key: &[u8]) -> bool {
    let (mut at, mut in_key) = (0, 0);
    // Behind the last star, and how much of the key it has eaten. An earlier star need not eat more.
    let mut star: Option<(usize, usize)> = None;
    loop {
        if pattern.get(at) == Some(&b'*') {
            at += 1;
            star = Some((at, in_key));
            continue;
        }
        match key.get(in_key) {
            None if at == pattern.len() => return true,
            None => return false,
            Some(&byte) => {
                if let Some(length) = one(&pattern[at..], byte) {
                    (at, in_key) = (at + length, in_key + 1);
                    continue;
                }
            }
        }
        let Some((behind, eaten)) = star else {
            return false;
        };
        star = Some((behind, eaten + 1));
        (at, in_key) = (behind, eaten + 1);
    }
}

/// How long the pattern for this one byte is; `None`: it is not for this byte.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match *pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'[', ref set @ ..] => {
            let (length, found) = is_in(set, byte);
            found.then_some(1 + length)
        }
        [b'\\', meant, ..] => (meant == byte).then_some(2),
        [meant, ..] => (meant == byte).then_some(1),
    }
}

/// How long the set is, with its bracket, and whether the byte is in it. A set without an end ends with the pattern.
fn is_in(set: &[u8], byte: u8) -> (usize, bool) {
    let without = set.first() == Some(&b'^');
    let (mut at, mut found) = (usize::from(without), false);
    loop {
        at += match set[at..] {
            [] => return (at, found != without),
            [b']', ..] => return (at + 1, found != without),
            [b'\\', meant, ..] => {
                found |= meant == byte;
                2
            }
            [from, b'-', to, ..] if to != b']' => {
                found |= (from.min(to)..=from.max(to)).contains(&byte);
                3
            }
            [meant, ..] => {
                found |= meant == byte;
                1
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_by_patterns() {
        for (pattern, key, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abbcd", false),
            ("*ab*ab", "abaab", true),
            ("h?llo", "hallo", true),
            ("h?llo", "hllo", false),
            ("h[ae]llo", "hello", true),
            ("h[ae]llo", "hillo", false),
            ("h[^e]llo", "hello", false),
            ("h[b-a]llo", "hallo", true),
            ("[a-", "-", true),
            ("[", "[", false),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("[\\]]", "]", true),
            ("\\", "\\", true),
        ] {
            let found = matches(pattern.as_bytes(), key.as_bytes());
            assert_eq!(found, expected, "{pattern} {key}");
        }
    }

    /// The time is the product of both lengths, and no power of it.
    #[test]
    fn many_stars_end_soon() {
        let pattern = "a*".repeat(1000) + "b";
        assert!(!matches(pattern.as_bytes(), &[b'a'; 5000]));
    }
}
