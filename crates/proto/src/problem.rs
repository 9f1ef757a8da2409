//! Says what is wrong with a JSON text in a sentence that can be sent back.

/// Longest description in bytes: deserialisers quote the offending value, which may be huge.
const BYTES_MAX: usize = 160;

/// What is wrong, without the position, which counts from the start of a part that the caller of an
/// operation does not see.
pub(crate) fn describe(error: &serde_json::Error) -> String {
    let mut text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    if text.ends_with(&position) {
        text.truncate(text.len() - position.len());
    }
    if text.len() > BYTES_MAX {
        text.truncate(text.floor_char_boundary(BYTES_MAX - '…'.len_utf8()));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn describe_as_number(json: &str) -> String {
        describe(&serde_json::from_str::<u32>(json).unwrap_err())
    }

    #[test]
    fn the_problem_without_the_position() {
        assert_eq!(describe_as_number("\"7\""), "invalid type: string \"7\", expected u32");
        assert_eq!(describe_as_number("7 7"), "trailing characters");
    }

    #[test]
    fn quoted_values_are_cut_at_a_character() {
        let long = describe_as_number(&format!("\"{}\"", "茶".repeat(1000)));
        assert!(long.starts_with("invalid type: string \"茶") && long.ends_with("茶…"), "{long}");
        assert!((BYTES_MAX - 3..=BYTES_MAX).contains(&long.len()), "{}", long.len());
    }
}
