//! The types of elements that a message is made of.
//!
//! Each struct is the `MsgContent` of one `MsgType`: a field that is not an `Option` is required, null
//! counts as absent, unknown keys are ignored here and kept in the body. `Number` in the protocol is
//! any JSON number, hence `f64`.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::BodyError;
use crate::fields::{Object, Text, optional_objects};
use crate::problem::describe;

/// One element of a message, borrowed from its body.
#[derive(Debug, Clone)]
pub enum Element<'a> {
    /// `TIMTextElem`.
    Text(TextElem<'a>),
    /// `TIMLocationElem`.
    Location(LocationElem<'a>),
    /// `TIMFaceElem`.
    Face(FaceElem<'a>),
    /// `TIMCustomElem`.
    Custom(CustomElem<'a>),
    /// `TIMSoundElem`.
    Sound(SoundElem<'a>),
    /// `TIMImageElem`.
    Image(ImageElem<'a>),
    /// `TIMFileElem`.
    File(FileElem<'a>),
    /// `TIMVideoFileElem`.
    VideoFile(VideoFileElem<'a>),
    /// `TIMRelayElem`.
    Relay(RelayElem<'a>),
    /// `TIMStreamElem`.
    Stream(StreamElem<'a>),
    /// What callers cannot send: a notice composed by the server.
    Other {
        /// `MsgType`.
        msg_type: Text<'a>,
        /// `MsgContent`.
        content: &'a RawValue,
    },
}

/// Plain text.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TextElem<'a> {
    /// The text.
    #[serde(borrow)]
    pub text: Text<'a>,
}

/// A place.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct LocationElem<'a> {
    /// Description.
    #[serde(borrow)]
    pub desc: Option<Text<'a>>,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
}

/// An emoticon of the application's own set.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct FaceElem<'a> {
    /// Number that the application gives it.
    pub index: f64,
    /// Free data.
    #[serde(borrow)]
    pub data: Option<Text<'a>>,
}

/// Data that only the application understands.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CustomElem<'a> {
    /// The payload; never given to a push service.
    #[serde(borrow)]
    pub data: Option<Text<'a>>,
    /// Text of an offline push.
    #[serde(borrow)]
    pub desc: Option<Text<'a>>,
    /// Extra payload of an offline push.
    #[serde(borrow)]
    pub ext: Option<Text<'a>>,
    /// Sound of an offline push.
    #[serde(borrow)]
    pub sound: Option<Text<'a>>,
}

/// A voice message.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SoundElem<'a> {
    /// Where to download it.
    #[serde(borrow)]
    pub url: Text<'a>,
    /// Unique name of the file.
    #[serde(borrow, rename = "UUID")]
    pub uuid: Text<'a>,
    /// Size in bytes.
    pub size: Option<f64>,
    /// Duration in seconds.
    pub second: Option<f64>,
    /// Always 2: the address is direct.
    #[serde(rename = "Download_Flag", deserialize_with = "direct_download")]
    pub download_flag: u64,
}

/// A picture in several sizes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImageElem<'a> {
    /// Unique name of the file.
    #[serde(borrow, rename = "UUID")]
    pub uuid: Text<'a>,
    /// 1 JPEG, 2 GIF, 3 PNG, 4 BMP, 255 other.
    pub image_format: Option<f64>,
    /// The sizes; at least one.
    #[serde(borrow, deserialize_with = "at_least_one")]
    pub image_info_array: Vec<ImageInfo<'a>>,
}

/// One size of a picture.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImageInfo<'a> {
    /// 1 original, 2 large, 3 thumbnail.
    #[serde(rename = "Type")]
    pub kind: Option<f64>,
    /// Size in bytes.
    pub size: Option<f64>,
    /// Width in pixels.
    pub width: f64,
    /// Height in pixels.
    pub height: f64,
    /// Where to download it.
    #[serde(borrow, rename = "URL")]
    pub url: Text<'a>,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct FileElem<'a> {
    /// Where to download it.
    #[serde(borrow)]
    pub url: Text<'a>,
    /// Unique name of the file.
    #[serde(borrow, rename = "UUID")]
    pub uuid: Text<'a>,
    /// Size in bytes.
    pub file_size: Option<f64>,
    /// Name to show.
    #[serde(borrow)]
    pub file_name: Option<Text<'a>>,
    /// Always 2: the address is direct.
    #[serde(rename = "Download_Flag", deserialize_with = "direct_download")]
    pub download_flag: u64,
}

/// A video with a thumbnail.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct VideoFileElem<'a> {
    /// Where to download the video.
    #[serde(borrow)]
    pub video_url: Text<'a>,
    /// Unique name of the video.
    #[serde(borrow, rename = "VideoUUID")]
    pub video_uuid: Text<'a>,
    /// Size in bytes.
    pub video_size: Option<f64>,
    /// Duration in seconds.
    pub video_second: Option<f64>,
    /// Such as `mp4`.
    #[serde(borrow)]
    pub video_format: Option<Text<'a>>,
    /// Always 2: the address is direct.
    #[serde(deserialize_with = "direct_download")]
    pub video_download_flag: u64,
    /// Where to download the thumbnail.
    #[serde(borrow)]
    pub thumb_url: Text<'a>,
    /// Unique name of the thumbnail.
    #[serde(borrow, rename = "ThumbUUID")]
    pub thumb_uuid: Text<'a>,
    /// Size of the thumbnail in bytes.
    pub thumb_size: Option<f64>,
    /// Width of the thumbnail in pixels.
    pub thumb_width: f64,
    /// Height of the thumbnail in pixels.
    pub thumb_height: f64,
    /// Such as `JPG`.
    #[serde(borrow)]
    pub thumb_format: Option<Text<'a>>,
    /// Always 2: the address is direct.
    #[serde(deserialize_with = "direct_download")]
    pub thumb_download_flag: u64,
}

/// Several messages, merged and forwarded. Exactly one of `msg_list` and `json_msg_key` is there.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RelayElem<'a> {
    /// Title of the collection.
    #[serde(borrow)]
    pub title: Option<Text<'a>>,
    /// How many messages are merged.
    pub msg_num: Option<u64>,
    /// What clients show that do not know this element.
    #[serde(borrow)]
    pub compatible_text: Option<Text<'a>>,
    /// Lines of the digest.
    #[serde(borrow)]
    pub abstract_list: Option<Vec<Text<'a>>>,
    /// The messages.
    #[serde(borrow, default, deserialize_with = "optional_objects")]
    pub msg_list: Option<Vec<RelayedMessage<'a>>>,
    /// Key under which a list that is too long for a message was stored.
    #[serde(borrow)]
    pub json_msg_key: Option<Text<'a>>,
}

/// One of the messages of a [`RelayElem`]. Its body was validated when it was first sent.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RelayedMessage<'a> {
    /// The sender.
    #[serde(borrow, rename = "From_Account")]
    pub from_account: Option<Text<'a>>,
    /// The receiver, of a one-to-one message.
    #[serde(borrow, rename = "To_Account")]
    pub to_account: Option<Text<'a>>,
    /// The group, of a group message.
    #[serde(borrow)]
    pub group_id: Option<Text<'a>>,
    /// Its sequence number.
    pub msg_seq: Option<u64>,
    /// Its random number.
    pub msg_random: Option<u64>,
    /// When it was sent, Unix seconds.
    pub msg_time_stamp: Option<u64>,
    /// Its elements.
    #[serde(borrow, default, deserialize_with = "optional_objects")]
    pub msg_body: Option<Vec<RelayedElement<'a>>>,
    /// Its custom data.
    #[serde(borrow)]
    pub cloud_custom_data: Option<Text<'a>>,
}

/// An element of a relayed message: only its frame is looked at.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RelayedElement<'a> {
    /// `MsgType`.
    #[serde(borrow)]
    pub msg_type: Text<'a>,
}

/// Text that arrives piece by piece.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct StreamElem<'a> {
    /// The pieces so far.
    #[serde(borrow, default, deserialize_with = "optional_objects")]
    pub chunks: Option<Vec<StreamChunk<'a>>>,
    /// What clients show that do not know this element.
    #[serde(borrow)]
    pub compatible_text: Option<Text<'a>>,
    /// Names the stream in later calls.
    #[serde(borrow, rename = "StreamMsgID")]
    pub stream_msg_id: Option<Text<'a>>,
}

/// One piece of a [`StreamElem`].
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct StreamChunk<'a> {
    /// `data`.
    #[serde(borrow)]
    pub event_type: Option<Text<'a>>,
    /// Rises from piece to piece.
    pub index: u64,
    /// The text to append.
    #[serde(borrow)]
    pub markdown: Option<Text<'a>>,
    /// Whether no more will come.
    pub is_last: Option<bool>,
}

fn direct_download<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    match u64::deserialize(deserializer)? {
        2 => Ok(2),
        other => Err(serde::de::Error::custom(format_args!("download flag {other} is not 2"))),
    }
}

fn at_least_one<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    match optional_objects(deserializer)? {
        Some(items) if !items.is_empty() => Ok(items),
        _ => Err(serde::de::Error::custom("the array is empty")),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireElement<'a> {
    #[serde(borrow)]
    msg_type: Text<'a>,
    #[serde(borrow)]
    msg_content: &'a RawValue,
}

impl<'a> WireElement<'a> {
    /// Reads the content as its type says; `Ok(Other)` when callers cannot send that type.
    fn typed(self) -> Result<Element<'a>, serde_json::Error> {
        fn content<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, serde_json::Error> {
            serde_json::from_str(raw.get()).map(|Object(content)| content)
        }
        let raw = self.msg_content;
        Ok(match &*self.msg_type.0 {
            "TIMTextElem" => Element::Text(content(raw)?),
            "TIMLocationElem" => Element::Location(content(raw)?),
            "TIMFaceElem" => Element::Face(content(raw)?),
            "TIMCustomElem" => Element::Custom(content(raw)?),
            "TIMSoundElem" => Element::Sound(content(raw)?),
            "TIMImageElem" => Element::Image(content(raw)?),
            "TIMFileElem" => Element::File(content(raw)?),
            "TIMVideoFileElem" => Element::VideoFile(content(raw)?),
            "TIMRelayElem" => Element::Relay(content::<RelayElem<'_>>(raw)?.checked()?),
            "TIMStreamElem" => Element::Stream(content(raw)?),
            _ => Element::Other { msg_type: self.msg_type, content: raw },
        })
    }
}

impl RelayElem<'_> {
    fn checked(self) -> Result<Self, serde_json::Error> {
        let list = self.msg_list.as_ref().is_some_and(|list| !list.is_empty());
        let key = self.json_msg_key.as_ref().is_some_and(|key| !key.0.is_empty());
        if list == key {
            return Err(serde::de::Error::custom("one of MsgList and JsonMsgKey is needed"));
        }
        Ok(self)
    }
}

impl Element<'_> {
    /// What an offline push shows for this element.
    #[must_use]
    pub fn push_text(&self) -> String {
        fn text(text: Option<&Text<'_>>) -> String {
            text.map(|text| text.0.to_string()).unwrap_or_default()
        }
        match self {
            Self::Text(elem) => text(Some(&elem.text)),
            Self::Custom(elem) => text(elem.desc.as_ref()),
            Self::Relay(elem) => text(elem.title.as_ref().or(elem.compatible_text.as_ref())),
            Self::Stream(elem) => text(elem.compatible_text.as_ref()),
            Self::Location(_) => "[Location]".into(),
            Self::Face(_) => "[Face]".into(),
            Self::Sound(_) => "[Voice]".into(),
            Self::Image(_) => "[Image]".into(),
            Self::File(_) => "[File]".into(),
            Self::VideoFile(_) => "[Video]".into(),
            Self::Other { .. } => String::new(),
        }
    }
}

/// Checks a compact body that a caller wants to send.
pub(super) fn validate(json: &str) -> Result<(), BodyError> {
    let elements: Vec<&RawValue> = serde_json::from_str(json).map_err(|_| BodyError::NotAnArray)?;
    if elements.is_empty() {
        return Err(BodyError::Empty);
    }
    let mut customs = 0;
    for (index, raw) in elements.into_iter().enumerate() {
        match sendable(raw) {
            Ok(Element::Custom(_)) => customs += 1,
            Ok(_) => {}
            Err(error) => return Err(BodyError::Element { index, problem: describe(&error) }),
        }
    }
    if customs > 1 { Err(BodyError::SecondCustom) } else { Ok(()) }
}

fn sendable(raw: &RawValue) -> Result<Element<'_>, serde_json::Error> {
    let Object(wire): Object<WireElement<'_>> = serde_json::from_str(raw.get())?;
    let element = wire.typed()?;
    if let Element::Other { msg_type, .. } = &element {
        let unknown = format_args!("MsgType {:?} is not one that can be sent", msg_type.0);
        return Err(serde::de::Error::custom(unknown));
    }
    Ok(element)
}

/// Reads a stored body; an element that no longer reads as its type is `Other`.
pub(super) fn read(json: &str) -> Vec<Element<'_>> {
    let wire: Vec<Object<WireElement<'_>>> = serde_json::from_str(json).unwrap_or_default();
    wire.into_iter()
        .map(|Object(element)| {
            let (msg_type, content) = (element.msg_type.clone(), element.msg_content);
            element.typed().unwrap_or(Element::Other { msg_type, content })
        })
        .collect()
}
