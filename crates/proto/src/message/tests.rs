use super::*;

const MAX: usize = 12 * 1024;

fn parse(json: &str) -> Result<MessageBody, BodyError> {
    MessageBody::parse(serde_json::from_str(json).unwrap(), MAX)
}

/// A body of one element.
fn one(msg_type: &str, content: &str) -> String {
    format!(r#"[{{"MsgType":"{msg_type}","MsgContent":{content}}}]"#)
}

/// For each type: the smallest content, one with every field, and contents that are refused.
struct ElementCase {
    msg_type: &'static str,
    accepted: &'static [&'static str],
    refused: &'static [&'static str],
}

const VIDEO: &str = r#"{"VideoUrl":"u","VideoUUID":"v","VideoDownloadFlag":2,"ThumbUrl":"t","ThumbUUID":"w","ThumbWidth":1,"ThumbHeight":1,"ThumbDownloadFlag":2}"#;

const CASES: &[ElementCase] = &[
    ElementCase {
        msg_type: "TIMTextElem",
        accepted: &[
            r#"{"Text":"hi"}"#,
            r#"{"Text":""}"#,
            r#"{"Text":"茶 \"\u8336\"","Extra":[1]}"#,
        ],
        refused: &[
            "{}",
            r#"{"Text":1}"#,
            r#"{"Text":null}"#,
            r#"{"text":"hi"}"#,
            r#"["hi"]"#,
            "null",
        ],
    },
    ElementCase {
        msg_type: "TIMLocationElem",
        accepted: &[
            r#"{"Latitude":1,"Longitude":-2.5}"#,
            r#"{"Desc":"d","Latitude":1e1,"Longitude":0}"#,
            r#"{"Desc":null,"Latitude":1,"Longitude":2}"#,
        ],
        refused: &[
            r#"{"Latitude":1}"#,
            r#"{"Longitude":1}"#,
            r#"{"Latitude":"1","Longitude":2}"#,
            r#"{"Latitude":1e999,"Longitude":2}"#,
            r#"{"Desc":1,"Latitude":1,"Longitude":2}"#,
        ],
    },
    ElementCase {
        msg_type: "TIMFaceElem",
        accepted: &[r#"{"Index":1}"#, r#"{"Index":1,"Data":"x"}"#],
        refused: &[r#"{"Data":"x"}"#, r#"{"Index":"1"}"#, r#"{"Index":1,"Data":2}"#],
    },
    ElementCase {
        msg_type: "TIMCustomElem",
        accepted: &["{}", r#"{"Data":"d","Desc":"e","Ext":"x","Sound":"s"}"#],
        refused: &[
            r#"{"Data":{}}"#,
            r#"{"Desc":1}"#,
            r#"{"Ext":1}"#,
            r#"{"Sound":1}"#,
            "[]",
            r#""x""#,
        ],
    },
    ElementCase {
        msg_type: "TIMSoundElem",
        accepted: &[
            r#"{"Url":"u","UUID":"i","Download_Flag":2}"#,
            r#"{"Url":"u","UUID":"i","Size":1,"Second":2.5,"Download_Flag":2}"#,
        ],
        refused: &[
            r#"{"UUID":"i","Download_Flag":2}"#,
            r#"{"Url":"u","Download_Flag":2}"#,
            r#"{"Url":"u","UUID":"i"}"#,
            r#"{"Url":"u","UUID":"i","Download_Flag":1}"#,
            r#"{"Url":"u","UUID":"i","Download_Flag":"2"}"#,
            r#"{"Url":1,"UUID":"i","Download_Flag":2}"#,
            r#"{"Url":"u","UUID":"i","Size":"1","Download_Flag":2}"#,
            r#"{"Url":"u","UUID":"i","Second":"1","Download_Flag":2}"#,
        ],
    },
    ElementCase {
        msg_type: "TIMImageElem",
        accepted: &[
            r#"{"UUID":"i","ImageInfoArray":[{"Width":1,"Height":2,"URL":"u"}]}"#,
            r#"{"UUID":"i","ImageFormat":255,"ImageInfoArray":[{"Type":1,"Size":3,"Width":1,"Height":2,"URL":"u","InstanceId":"x","MsgType":"y"}]}"#,
        ],
        refused: &[
            r#"{"ImageInfoArray":[{"Width":1,"Height":2,"URL":"u"}]}"#,
            r#"{"UUID":"i"}"#,
            r#"{"UUID":"i","ImageInfoArray":null}"#,
            r#"{"UUID":"i","ImageInfoArray":[]}"#,
            r#"{"UUID":"i","ImageInfoArray":[1]}"#,
            r#"{"UUID":"i","ImageInfoArray":[[1,2,3,4,"u"]]}"#,
            r#"{"UUID":"i","ImageInfoArray":{"Width":1,"Height":2,"URL":"u"}}"#,
            r#"{"UUID":"i","ImageInfoArray":[{"Height":2,"URL":"u"}]}"#,
            r#"{"UUID":"i","ImageInfoArray":[{"Width":1,"URL":"u"}]}"#,
            r#"{"UUID":"i","ImageInfoArray":[{"Width":1,"Height":2}]}"#,
            r#"{"UUID":"i","ImageInfoArray":[{"Width":1,"Height":2,"Url":"u"}]}"#,
            r#"{"UUID":"i","ImageInfoArray":[{"Type":"1","Width":1,"Height":2,"URL":"u"}]}"#,
            r#"{"UUID":"i","ImageFormat":"png","ImageInfoArray":[{"Width":1,"Height":2,"URL":"u"}]}"#,
        ],
    },
    ElementCase {
        msg_type: "TIMFileElem",
        accepted: &[
            r#"{"Url":"u","UUID":"i","Download_Flag":2}"#,
            r#"{"Url":"u","UUID":"i","FileSize":9,"FileName":"n","Download_Flag":2}"#,
        ],
        refused: &[
            r#"{"UUID":"i","Download_Flag":2}"#,
            r#"{"Url":"u","Download_Flag":2}"#,
            r#"{"Url":"u","UUID":"i"}"#,
            r#"{"Url":"u","UUID":"i","Download_Flag":0}"#,
            r#"{"Url":"u","UUID":"i","FileSize":"9","Download_Flag":2}"#,
            r#"{"Url":"u","UUID":"i","FileName":9,"Download_Flag":2}"#,
        ],
    },
    ElementCase {
        msg_type: "TIMVideoFileElem",
        accepted: &[
            VIDEO,
            r#"{"VideoUrl":"u","VideoUUID":"v","VideoSize":1,"VideoSecond":2,"VideoFormat":"mp4","VideoDownloadFlag":2,"ThumbUrl":"t","ThumbUUID":"w","ThumbSize":3,"ThumbWidth":4,"ThumbHeight":5,"ThumbFormat":"JPG","ThumbDownloadFlag":2,"SnapshotUrl":"t"}"#,
        ],
        refused: &[
            "{}",
            r#"{"VideoUUID":"v","VideoDownloadFlag":2,"ThumbUrl":"t","ThumbUUID":"w","ThumbWidth":1,"ThumbHeight":1,"ThumbDownloadFlag":2}"#,
            r#"{"VideoUrl":"u","VideoDownloadFlag":2,"ThumbUrl":"t","ThumbUUID":"w","ThumbWidth":1,"ThumbHeight":1,"ThumbDownloadFlag":2}"#,
            r#"{"VideoUrl":"u","VideoUUID":"v","ThumbUrl":"t","ThumbUUID":"w","ThumbWidth":1,"ThumbHeight":1,"ThumbDownloadFlag":2}"#,
            r#"{"VideoUrl":"u","VideoUUID":"v","VideoDownloadFlag":2,"ThumbUUID":"w","ThumbWidth":1,"ThumbHeight":1,"ThumbDownloadFlag":2}"#,
            r#"{"VideoUrl":"u","VideoUUID":"v","VideoDownloadFlag":2,"ThumbUrl":"t","ThumbWidth":1,"ThumbHeight":1,"ThumbDownloadFlag":2}"#,
            r#"{"VideoUrl":"u","VideoUUID":"v","VideoDownloadFlag":2,"ThumbUrl":"t","ThumbUUID":"w","ThumbHeight":1,"ThumbDownloadFlag":2}"#,
            r#"{"VideoUrl":"u","VideoUUID":"v","VideoDownloadFlag":2,"ThumbUrl":"t","ThumbUUID":"w","ThumbWidth":1,"ThumbDownloadFlag":2}"#,
            r#"{"VideoUrl":"u","VideoUUID":"v","VideoDownloadFlag":2,"ThumbUrl":"t","ThumbUUID":"w","ThumbWidth":1,"ThumbHeight":1}"#,
            r#"{"VideoUrl":"u","VideoUUID":"v","VideoDownloadFlag":1,"ThumbUrl":"t","ThumbUUID":"w","ThumbWidth":1,"ThumbHeight":1,"ThumbDownloadFlag":2}"#,
            r#"{"VideoUrl":"u","VideoUUID":"v","VideoDownloadFlag":2,"ThumbUrl":"t","ThumbUUID":"w","ThumbWidth":"1","ThumbHeight":1,"ThumbDownloadFlag":2}"#,
        ],
    },
    ElementCase {
        msg_type: "TIMRelayElem",
        accepted: &[
            r#"{"JsonMsgKey":"k"}"#,
            r#"{"MsgList":[{}]}"#,
            r#"{"JsonMsgKey":"k","MsgList":[]}"#,
            r#"{"JsonMsgKey":"","MsgList":[{}]}"#,
            r#"{"Title":"t","MsgNum":2,"CompatibleText":"c","AbstractList":["a","b"],"MsgList":[{"From_Account":"a","To_Account":"b","MsgSeq":1,"MsgRandom":2,"MsgTimeStamp":3,"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"x"}}],"CloudCustomData":""},{"GroupId":"g"}]}"#,
        ],
        refused: &[
            "{}",
            r#"{"MsgList":[]}"#,
            r#"{"JsonMsgKey":""}"#,
            r#"{"JsonMsgKey":"k","MsgList":[{}]}"#,
            r#"{"MsgList":{}}"#,
            r#"{"MsgList":[1]}"#,
            r#"{"MsgList":[[]]}"#,
            r#"{"MsgList":[{"From_Account":1}]}"#,
            r#"{"MsgList":[{"MsgSeq":"1"}]}"#,
            r#"{"MsgList":[{"MsgBody":{}}]}"#,
            r#"{"MsgList":[{"MsgBody":[{}]}]}"#,
            r#"{"JsonMsgKey":1}"#,
            r#"{"JsonMsgKey":"k","Title":1}"#,
            r#"{"JsonMsgKey":"k","MsgNum":"2"}"#,
            r#"{"JsonMsgKey":"k","MsgNum":-1}"#,
            r#"{"JsonMsgKey":"k","CompatibleText":1}"#,
            r#"{"JsonMsgKey":"k","AbstractList":"a"}"#,
            r#"{"JsonMsgKey":"k","AbstractList":[1]}"#,
        ],
    },
    ElementCase {
        msg_type: "TIMStreamElem",
        accepted: &[
            "{}",
            r#"{"Chunks":[{"EventType":"data","Index":1,"Markdown":"m","IsLast":false}],"CompatibleText":"c","StreamMsgID":"s"}"#,
        ],
        refused: &[
            r#"{"Chunks":{}}"#,
            r#"{"Chunks":[1]}"#,
            r#"{"Chunks":[{"EventType":"data"}]}"#,
            r#"{"Chunks":[{"Index":-1}]}"#,
            r#"{"Chunks":[{"Index":1,"IsLast":1}]}"#,
            r#"{"Chunks":[{"Index":1,"Markdown":1}]}"#,
            r#"{"CompatibleText":1}"#,
            r#"{"StreamMsgID":1}"#,
        ],
    },
];

#[test]
fn every_element_accepts_and_refuses() {
    for case in CASES {
        for content in case.accepted {
            let json = one(case.msg_type, content);
            let body = parse(&json).unwrap_or_else(|error| panic!("{json}: {error}"));
            assert_eq!(body.as_json(), json, "a compact body is kept as it is");
            let elements = body.elements();
            assert_eq!(elements.len(), 1);
            assert!(!matches!(elements[0], Element::Other { .. }), "{json}");
        }
        for content in case.refused {
            let json = one(case.msg_type, content);
            let error = parse(&json).expect_err(&json);
            assert!(matches!(error, BodyError::Element { index: 0, .. }), "{json}: {error}");
        }
    }
}

#[test]
fn server_notices_and_unknown_types_cannot_be_sent() {
    for msg_type in
        ["TIMGroupTipElem", "TIMGroupSystemNoticeElem", "TIMSoundElem ", "timtextelem", ""]
    {
        let error = parse(&one(msg_type, "{}")).unwrap_err();
        let BodyError::Element { index: 0, problem } = error else { panic!("{error}") };
        assert!(problem.contains("not one that can be sent"), "{problem}");
    }
}

#[test]
fn the_frame_of_elements_is_checked() {
    let text = r#"{"MsgType":"TIMTextElem","MsgContent":{"Text":"x"}}"#;
    for (bad, index) in [
        ("[1]".to_owned(), 0),
        ("[null]".to_owned(), 0),
        ("[{}]".to_owned(), 0),
        (r#"[["TIMTextElem",{"Text":"x"}]]"#.to_owned(), 0),
        (r#"[{"MsgType":"TIMTextElem"}]"#.to_owned(), 0),
        (r#"[{"MsgContent":{"Text":"x"}}]"#.to_owned(), 0),
        (r#"[{"MsgType":1,"MsgContent":{"Text":"x"}}]"#.to_owned(), 0),
        (format!(r#"[{text},{{"MsgType":"TIMTextElem","MsgContent":"x"}}]"#), 1),
        (format!(r#"[{text},{text},7]"#), 2),
    ] {
        match parse(&bad) {
            Err(BodyError::Element { index: at, .. }) => assert_eq!(at, index, "{bad}"),
            other => panic!("{bad}: {other:?}"),
        }
    }
    assert_eq!(parse("[]"), Err(BodyError::Empty));
    assert_eq!(parse("[ \n ]"), Err(BodyError::Empty));
    for json in ["{}", "null", r#""[]""#, "1"] {
        assert_eq!(parse(json), Err(BodyError::NotAnArray));
    }
}

#[test]
fn types_mix_but_only_one_is_custom() {
    let text = r#"{"MsgType":"TIMTextElem","MsgContent":{"Text":"hi "}}"#;
    let face = r#"{"MsgType":"TIMFaceElem","MsgContent":{"Index":1}}"#;
    let custom = r#"{"MsgType":"TIMCustomElem","MsgContent":{"Desc":"gift","Data":"secret"}}"#;
    let body = parse(&format!("[{text},{face},{custom},{text}]")).unwrap();
    assert_eq!(body.elements().len(), 4);
    assert_eq!(body.push_text(), "hi [Face]gifthi ");
    assert_eq!(parse(&format!("[{custom},{text},{custom}]")), Err(BodyError::SecondCustom));
}

#[test]
fn push_texts() {
    let image = r#"{"UUID":"i","ImageInfoArray":[{"Width":1,"Height":2,"URL":"u"}]}"#;
    let file = r#"{"Url":"u","UUID":"i","Download_Flag":2}"#;
    for (msg_type, content, text) in [
        ("TIMTextElem", r#"{"Text":"tea"}"#, "tea"),
        ("TIMLocationElem", r#"{"Latitude":1,"Longitude":2}"#, "[Location]"),
        ("TIMFaceElem", r#"{"Index":1}"#, "[Face]"),
        ("TIMCustomElem", r#"{"Data":"secret"}"#, ""),
        ("TIMCustomElem", r#"{"Data":"secret","Desc":"gift"}"#, "gift"),
        ("TIMSoundElem", file, "[Voice]"),
        ("TIMImageElem", image, "[Image]"),
        ("TIMFileElem", file, "[File]"),
        ("TIMVideoFileElem", VIDEO, "[Video]"),
        ("TIMRelayElem", r#"{"JsonMsgKey":"k","Title":"t","CompatibleText":"c"}"#, "t"),
        ("TIMRelayElem", r#"{"JsonMsgKey":"k","CompatibleText":"c"}"#, "c"),
        ("TIMStreamElem", r#"{"CompatibleText":"c"}"#, "c"),
    ] {
        assert_eq!(parse(&one(msg_type, content)).unwrap().push_text(), text, "{msg_type}");
    }
}

#[test]
fn length_counts_without_whitespace_and_is_bounded() {
    let overhead = one("TIMTextElem", r#"{"Text":""}"#).len();
    let body = |bytes: usize| {
        one("TIMTextElem", &format!(r#"{{"Text":"{}"}}"#, "x".repeat(bytes - overhead)))
    };
    assert_eq!(parse(&body(MAX - 1)).unwrap().bytes(), MAX - 1);
    assert_eq!(parse(&body(MAX)).unwrap().bytes(), MAX);
    let too_long = BodyError::TooLong { bytes: MAX + 1, max: MAX };
    assert_eq!(too_long.to_string(), "MsgBody is 12289 bytes, at most 12288");
    assert_eq!(parse(&body(MAX + 1)), Err(too_long));
    let spaced = body(MAX).replace(':', " :\r\n\t");
    let parsed = parse(&spaced).unwrap();
    assert_eq!(parsed.as_json(), body(MAX));
    // Whitespace inside strings is content.
    assert_eq!(
        parse(r#"[ { "MsgType" : "TIMTextElem" , "MsgContent" : { "Text" : " a  b " } } ]"#)
            .unwrap()
            .as_json(),
        r#"[{"MsgType":"TIMTextElem","MsgContent":{"Text":" a  b "}}]"#
    );
}

#[test]
fn depth_is_bounded() {
    // Array, element and content are three levels.
    let nested = |depth: usize| {
        let inner = depth - 3;
        one(
            "TIMTextElem",
            &format!(r#"{{"Text":"x","Extra":{}{}}}"#, "[".repeat(inner), "]".repeat(inner)),
        )
    };
    assert!(parse(&nested(BODY_DEPTH_MAX)).is_ok());
    assert_eq!(parse(&nested(BODY_DEPTH_MAX + 1)), Err(BodyError::TooDeep { depth: 33 }));
    assert_eq!(parse(&nested(5000)), Err(BodyError::TooDeep { depth: 5000 }));
}

#[test]
fn typed_views_borrow_the_values() {
    let json = r#"[{"MsgType":"TIMTextElem","MsgContent":{"Text":"tea"}},{"MsgType":"TIMLocationElem","MsgContent":{"Desc":"here","Latitude":52.5,"Longitude":-13}}]"#;
    let body = parse(json).unwrap();
    let elements = body.elements();
    let [Element::Text(text), Element::Location(location)] = &elements[..] else {
        panic!("{elements:?}")
    };
    assert_eq!(text.text.0, "tea");
    assert!(matches!(text.text.0, std::borrow::Cow::Borrowed(_)));
    assert_eq!(location.desc.as_ref().unwrap().0, "here");
    assert_eq!((location.latitude, location.longitude), (52.5, -13.0));
}

#[test]
fn stored_bodies_are_taken_as_they_are_unless_damaged() {
    let tip = one("TIMGroupTipElem", r#"{"OpType":1}"#);
    let body = MessageBody::from_stored(tip.clone()).unwrap();
    assert_eq!(body.as_json(), tip);
    assert_eq!(body.push_text(), "");
    assert!(
        matches!(&body.elements()[..], [Element::Other { msg_type, .. }] if msg_type.0 == "TIMGroupTipElem")
    );
    // A known type whose content no longer reads stays visible as what it is.
    let old = MessageBody::from_stored(one("TIMSoundElem", r#"{"UUID":"i"}"#)).unwrap();
    assert!(matches!(&old.elements()[..], [Element::Other { .. }]));
    assert!(MessageBody::from_stored("{}".into()).unwrap().elements().is_empty());
    for damaged in ["", "[", "[]x", "[{\"a\":}]"] {
        let error = MessageBody::from_stored(damaged.into()).unwrap_err();
        assert!(matches!(error, BodyError::Damaged(_)), "{damaged}");
    }
}

#[test]
fn bodies_serialise_as_they_are_and_compare_by_text() {
    let json = one("TIMTextElem", r#"{"Text":"\u0061","n":1.50}"#);
    let body = parse(&json).unwrap();
    assert_eq!(serde_json::to_string(&body).unwrap(), json);
    assert_eq!(body.clone(), body);
    assert_ne!(body, parse(&one("TIMTextElem", r#"{"Text":"a","n":1.50}"#)).unwrap());
    // CRC-32 of "123456789" is the check value of the algorithm; a JSON number will do as content.
    assert_eq!(MessageBody::from_stored("123456789".into()).unwrap().crc32(), 0xcbf4_3926);
}

#[test]
fn refusals_have_the_documented_numbers() {
    let element = BodyError::Element { index: 0, problem: String::new() };
    for (error, c2c, group) in [
        (BodyError::NotAnArray, 90007, 10004),
        (BodyError::Empty, 90002, 10004),
        (BodyError::TooLong { bytes: 2, max: 1 }, 93000, 80002),
        (BodyError::TooDeep { depth: 33 }, 90010, 10004),
        (element, 90010, 10004),
        (BodyError::SecondCustom, 90010, 10004),
        (BodyError::Damaged(String::new()), 20005, 10002),
    ] {
        assert_eq!(
            (error.c2c_code().number(), error.group_code().number()),
            (c2c, group),
            "{error}"
        );
    }
}
