//! Kinds of client devices: what a client says it is, and which devices count as the same kind.
//!
//! Which kinds may be online together is the login policy's business, not known here.

use schemars::JsonSchema;
use serde::Serialize;

/// What kind of device a client runs on, from the `platform` number of its connection and frames.
///
/// Mini programs and the cross-platform frameworks run the Web client, and count as [`Self::Web`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema)]
pub enum Platform {
    /// Windows and Linux desktops.
    #[serde(rename = "PC")]
    Pc,
    /// Android phones.
    Android,
    /// iPhones.
    #[serde(rename = "iPhone")]
    IPhone,
    /// macOS desktops.
    Mac,
    /// Browsers, mini programs, frameworks that embed the Web client.
    Web,
    /// iPads.
    #[serde(rename = "iPad")]
    IPad,
}

/// Groups of platforms that the login policies speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PlatformKind {
    /// A phone.
    Mobile,
    /// A tablet; the three-platform policy counts it with the phones.
    Pad,
    /// A desktop computer.
    Desktop,
    /// A browser or what counts as one.
    Web,
}

impl Platform {
    /// Every platform, in the order of [`Platform::number`].
    pub const ALL: [Platform; 6] =
        [Self::Pc, Self::Android, Self::IPhone, Self::Mac, Self::Web, Self::IPad];

    /// The platform of a wire number.
    ///
    /// Numbers without a native client of their own (8 WeChat, 9 QQ, 10 TikTok, 11 Baidu, 12 Alipay,
    /// 15 uni-app, 19 Donut, 20 NativeScript, 21 React Native, any unknown one) are Web clients.
    #[must_use]
    pub fn from_number(number: u32) -> Self {
        match number {
            1 => Self::Pc,
            2 => Self::Android,
            3 => Self::IPhone,
            4 => Self::Mac,
            13 => Self::IPad,
            _ => Self::Web,
        }
    }

    /// The wire number: the inverse of [`Platform::from_number`] for the six platforms.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Pc => 1,
            Self::Android => 2,
            Self::IPhone => 3,
            Self::Mac => 4,
            Self::Web => 7,
            Self::IPad => 13,
        }
    }

    /// The name in answers to status queries and in kick notices.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pc => "PC",
            Self::Android => "Android",
            Self::IPhone => "iPhone",
            Self::Mac => "Mac",
            Self::Web => "Web",
            Self::IPad => "iPad",
        }
    }

    /// The group that the login policies put it in.
    #[must_use]
    pub fn kind(self) -> PlatformKind {
        match self {
            Self::Android | Self::IPhone => PlatformKind::Mobile,
            Self::IPad => PlatformKind::Pad,
            Self::Pc | Self::Mac => PlatformKind::Desktop,
            Self::Web => PlatformKind::Web,
        }
    }

    /// Whether it can be reached by offline push after its connection is lost.
    #[must_use]
    pub fn takes_offline_push(self) -> bool {
        matches!(self.kind(), PlatformKind::Mobile | PlatformKind::Pad)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_platforms_agree() {
        for platform in Platform::ALL {
            assert_eq!(Platform::from_number(platform.number()), platform);
            assert_eq!(
                serde_json::to_string(&platform).unwrap(),
                format!("\"{}\"", platform.name())
            );
        }
        assert!(Platform::ALL.is_sorted_by_key(|platform| platform.number()));
    }

    #[test]
    fn mini_programs_frameworks_and_unknown_numbers_count_as_web() {
        for number in [0, 7, 8, 9, 10, 11, 12, 15, 19, 20, 21, 99, u32::MAX] {
            assert_eq!(Platform::from_number(number), Platform::Web, "{number}");
        }
    }

    #[test]
    fn kinds() {
        let kinds = Platform::ALL.map(Platform::kind);
        use PlatformKind::{Desktop, Mobile, Pad, Web};
        assert_eq!(kinds, [Desktop, Mobile, Mobile, Desktop, Web, Pad]);
        let pushed = Platform::ALL.map(Platform::takes_offline_push);
        assert_eq!(pushed, [false, true, true, false, false, true]);
    }
}
