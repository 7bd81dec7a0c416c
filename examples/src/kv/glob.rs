//! Patterns for keys: `*`, `?`, `[abc]`, `[^a-z]`, and `\` before what is meant as it stands.

/// Whether the pattern means all of `text`.
pub(super) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    // Where to go on if the last `*` has to mean one byte more.
    let mut again: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', rest @ ..] = pattern {
            again = Some((rest, text));
            pattern = rest;
            continue;
        }
        if pattern.is_empty() && text.is_empty() {
            return true;
        }
        match text
            .split_first()
            .and_then(|(&byte, left)| Some((one(pattern, byte)?, left)))
        {
            Some((rest, left)) => (pattern, text) = (rest, left),
            None => match again {
                Some((rest, [_, left @ ..])) => {
                    again = Some((rest, left));
                    (pattern, text) = (rest, left);
                }
                _ => return false,
            },
        }
    }
}

/// What is left of the pattern behind its first sign, if that means this byte.
fn one(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    let (meant, rest) = match pattern {
        [] => return None,
        [b'?', rest @ ..] => (true, rest),
        [b'\\', sign, rest @ ..] => (*sign == byte, rest),
        [b'[', rest @ ..] => set(rest, byte),
        [sign, rest @ ..] => (*sign == byte, rest),
    };
    meant.then_some(rest)
}

/// Whether a set has the byte, and what stands behind it. One that does not end is ended by the pattern.
fn set(pattern: &[u8], byte: u8) -> (bool, &[u8]) {
    let (negative, mut rest) = match pattern {
        [b'^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut found = false;
    loop {
        rest = match rest {
            [] => return (found != negative, rest),
            [b']', behind @ ..] => return (found != negative, behind),
            [b'\\', sign, behind @ ..] => {
                found |= *sign == byte;
                behind
            }
            [low, b'-', high, behind @ ..] if *high != b']' => {
                let (low, high) = (low.min(high), low.max(high));
                found |= (low..=high).contains(&&byte);
                behind
            }
            [sign, behind @ ..] => {
                found |= *sign == byte;
                behind
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_mean_what_redis_says() {
        for (pattern, text) in [
            ("*", ""),
            ("h?llo", "hallo"),
            ("h*llo", "heeeello"),
            ("h[ae]llo", "hello"),
            ("h[^e]llo", "hallo"),
            ("h[a-c]llo", "hbllo"),
            ("*:*:c", "a:b:b:c"),
            (r"a\*b", "a*b"),
            (r"[\]]", "]"),
            ("[a-]", "-"),
        ] {
            assert!(
                matches(pattern.as_bytes(), text.as_bytes()),
                "{pattern} {text}"
            );
        }
        for (pattern, text) in [
            ("", "a"),
            ("?", ""),
            ("h[^e]llo", "hello"),
            ("a*b", "abc"),
            (r"a\*b", "axb"),
            ("[a-c]", "d"),
        ] {
            assert!(
                !matches(pattern.as_bytes(), text.as_bytes()),
                "{pattern} {text}"
            );
        }
    }

    #[test]
    fn many_stars_do_not_take_for_ever() {
        let pattern = "*a".repeat(50) + "b";
        assert!(!matches(pattern.as_bytes(), "a".repeat(2000).as_bytes()));
    }
}
