//! Search: what a user finds of that which he may see anyway.
//!
//! There is no index of its own to keep: a user's index of conversations names the groups that he is in, and
//! their members are in memory while they are. Names of other groups are not searched; those that strangers may
//! find are found by their exact id. What one request looks at is bounded; the answer says where to go on.

pub(crate) mod commands;

use teahouse_proto::error::{Error, ErrorCode};

/// What is looked for.
#[derive(Debug)]
pub(crate) struct Query {
    /// In lower case.
    words: Vec<String>,
    /// All of them, not any.
    all: bool,
}

const KEYWORDS_MAX: usize = 5;
const KEYWORD_BYTES_MAX: usize = 100;
/// How many results a page has, unless the request says it.
const COUNT: u32 = 20;
const COUNT_MAX: u32 = 100;

impl Query {
    /// 1 to 5 keywords; `match_type` 0 for any of them, 1 for all.
    pub(crate) fn new(keywords: &[String], match_type: Option<u32>) -> Result<Self, Error> {
        let count = keywords.len();
        if !(1..=KEYWORDS_MAX).contains(&count) {
            return Err(refused(format!("Keywords has {count}, 1 to {KEYWORDS_MAX} are possible")));
        }
        let is_fit = |word: &String| (1..=KEYWORD_BYTES_MAX).contains(&word.len());
        if !keywords.iter().all(is_fit) {
            return Err(refused(format!("a keyword is 1 to {KEYWORD_BYTES_MAX} bytes")));
        }
        let all = match match_type {
            None | Some(0) => false,
            Some(1) => true,
            Some(other) => {
                return Err(refused(format!("KeywordMatchType is {other}, 0 or 1 are possible")));
            }
        };
        Ok(Self { words: keywords.iter().map(|word| word.to_lowercase()).collect(), all })
    }

    /// Whether the keywords are in these texts, in whichever.
    pub(crate) fn finds(&self, texts: &[&str]) -> bool {
        let texts: Vec<String> = texts.iter().map(|text| text.to_lowercase()).collect();
        let is_there = |word: &String| texts.iter().any(|text| text.contains(word.as_str()));
        if self.all { self.words.iter().all(is_there) } else { self.words.iter().any(is_there) }
    }
}

/// How many results are wanted.
pub(crate) fn count(wanted: Option<u32>) -> Result<usize, Error> {
    let count = wanted.unwrap_or(COUNT);
    if (1..=COUNT_MAX).contains(&count) {
        return Ok(count as usize);
    }
    Err(refused(format!("Count is {count}, 1 to {COUNT_MAX} are possible")))
}

fn refused(info: String) -> Error {
    Error::with(ErrorCode::SearchBadParameter, info)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(words: &[&str], all: u32) -> Query {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        Query::new(&words, Some(all)).expect("fits")
    }

    #[test]
    fn any_or_all_in_any_case_and_any_text() {
        assert!(query(&["green", "black"], 0).finds(&["tea", "Green tea"]));
        assert!(!query(&["green", "black"], 1).finds(&["tea", "Green tea"]));
        assert!(query(&["GREEN", "x1"], 1).finds(&["X1", "Green tea"]));
        assert!(!query(&["coffee"], 0).finds(&["tea", ""]));
    }

    #[test]
    fn one_to_five_keywords_that_are_neither_empty_nor_too_long() {
        let new = |words: &[String]| Query::new(words, None).map(drop).map_err(|error| error.code);
        let refused = Err(ErrorCode::SearchBadParameter);
        assert_eq!(new(&vec!["a".to_owned(); 5]), Ok(()));
        assert_eq!(new(&vec!["a".to_owned(); 6]), refused);
        assert_eq!(new(&[]), refused);
        assert_eq!(new(&[String::new()]), refused);
        assert_eq!(new(&["a".repeat(100)]), Ok(()));
        assert_eq!(new(&["a".repeat(101)]), refused);
        assert!(Query::new(&["a".to_owned()], Some(2)).is_err());
    }

    #[test]
    fn a_page_has_one_to_a_hundred() {
        let count = |wanted| count(wanted).ok();
        assert_eq!(count(None), Some(20));
        assert_eq!((count(Some(1)), count(Some(100))), (Some(1), Some(100)));
        assert_eq!((count(Some(0)), count(Some(101))), (None, None));
    }
}
