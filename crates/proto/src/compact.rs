//! Removes insignificant whitespace from JSON text and measures how deep it nests.

use std::borrow::Cow;

/// JSON text without whitespace outside strings.
pub(crate) struct Compact<'a> {
    /// Borrowed when nothing had to be removed, as in what browsers send.
    pub(crate) text: Cow<'a, str>,
    /// Deepest nesting of arrays and objects; 0 for a scalar.
    pub(crate) depth: usize,
}

/// Compacts `json`, which the caller has checked to be valid JSON.
///
/// One pass without recursion: the cost does not depend on what the text holds.
pub(crate) fn compact(json: &str) -> Compact<'_> {
    let bytes = json.as_bytes();
    let mut kept = String::new();
    let mut run_start = 0; // Start of the text since the last removed whitespace.
    let mut depth = 0usize;
    let mut deepest = 0;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = end_of_string(bytes, at);
                continue;
            }
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b' ' | b'\t' | b'\r' | b'\n' => {
                // Both ends lie beside an ASCII byte, hence on character boundaries.
                kept.push_str(&json[run_start..at]);
                run_start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    let text = if run_start == 0 {
        Cow::Borrowed(json)
    } else {
        kept.push_str(&json[run_start..]);
        Cow::Owned(kept)
    };
    Compact { text, depth: deepest }
}

/// The offset behind the closing quote of the string that opens at `open`.
fn end_of_string(bytes: &[u8], open: usize) -> usize {
    let mut at = open + 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whitespace_goes_outside_strings_only() {
        let spaced = " [ { \"a b\" : \" \\\" \\\\\" , \"c\" :\t[ 1 ,\n2 ] } ]\r\n";
        assert_eq!(compact(spaced).text, r#"[{"a b":" \" \\","c":[1,2]}]"#);
    }

    #[test]
    fn compact_text_is_borrowed() {
        let json = r#"[{"Text":"two  spaces 茶"}]"#;
        assert!(matches!(compact(json).text, Cow::Borrowed(text) if text == json));
    }

    #[test]
    fn depth_counts_brackets_outside_strings() {
        assert_eq!(compact("1").depth, 0);
        assert_eq!(compact(r#"["[[["]"#).depth, 1);
        assert_eq!(compact(r#"[{"a":[]},[]]"#).depth, 3);
    }
}
