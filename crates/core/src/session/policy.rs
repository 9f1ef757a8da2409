//! Which logins of one user exclude each other: the app's login policy, as a pure rule.

use teahouse_proto::platform::{Platform, PlatformKind};
use teahouse_proto::push::KickType;

use crate::settings::{AppSettings, LoginPolicy};

/// A device as the policy sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Device {
    pub(crate) inst_id: u32,
    pub(crate) platform: Platform,
    pub(crate) login_ms: u64,
}

/// The devices that have to go when `new` logs in beside `others`: the earliest ones first.
pub(crate) fn displaced(
    settings: &AppSettings,
    others: &[Device],
    new: &Device,
) -> Vec<(u32, KickType)> {
    let mut others = others.to_vec();
    others.sort_by_key(|device| (device.login_ms, device.inst_id));
    let (excluded, beside): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|other| excludes(settings.login_policy, other, new));
    let same: Vec<_> = beside.iter().filter(|other| other.platform == new.platform).collect();
    let surplus = (same.len() + 1).saturating_sub(instances_max(settings, new.platform));
    let out = excluded.iter().chain(same.into_iter().take(surplus));
    out.map(|device| (device.inst_id, reason(device, new))).collect()
}

/// Whether two devices of different platforms may not be logged in together. The same platform is a
/// matter of [`instances_max`].
fn excludes(policy: LoginPolicy, a: &Device, b: &Device) -> bool {
    if a.platform == b.platform {
        return false;
    }
    let class = |device: &Device| match (policy, device.platform.kind()) {
        (LoginPolicy::Single, _) => Some(0),
        (LoginPolicy::Multi, _) => None,
        (LoginPolicy::Dual | LoginPolicy::Triple, PlatformKind::Web) => Some(1),
        (LoginPolicy::Triple, PlatformKind::Desktop) => Some(2),
        (LoginPolicy::Dual, PlatformKind::Desktop)
        | (LoginPolicy::Dual | LoginPolicy::Triple, PlatformKind::Mobile | PlatformKind::Pad) => {
            Some(3)
        }
    };
    class(a).is_some() && class(a) == class(b)
}

fn instances_max(settings: &AppSettings, platform: Platform) -> usize {
    let multi = settings.login_policy == LoginPolicy::Multi;
    let max = match platform.kind() {
        PlatformKind::Web => settings.login_web_instances,
        PlatformKind::Mobile | PlatformKind::Pad | PlatformKind::Desktop if multi => {
            settings.login_native_instances
        }
        PlatformKind::Mobile | PlatformKind::Pad | PlatformKind::Desktop => 1,
    };
    max as usize
}

fn reason(old: &Device, new: &Device) -> KickType {
    if old.platform.kind() == PlatformKind::Web && new.platform.kind() == PlatformKind::Web {
        KickType::MultipleAccount
    } else {
        KickType::MultipleDevice
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Platform::{Android, IPad, IPhone, Mac, Pc, Web};

    fn settings(policy: &str, web: u32, native: u32) -> AppSettings {
        let mut settings = AppSettings::default();
        for (name, value) in [
            ("login.policy", policy.to_owned()),
            ("login.web_instances", web.to_string()),
            ("login.native_instances", native.to_string()),
        ] {
            settings.set(name, &value).expect("valid");
        }
        settings
    }

    /// Logs in one after another and returns the platforms that are left.
    fn left(settings: &AppSettings, logins: &[Platform]) -> Vec<Platform> {
        let mut devices: Vec<Device> = Vec::new();
        for (order, platform) in (1_u32..).zip(logins) {
            let new = Device { inst_id: order, platform: *platform, login_ms: order.into() };
            let out = displaced(settings, &devices, &new);
            devices.retain(|device| !out.iter().any(|(inst_id, _)| *inst_id == device.inst_id));
            devices.push(new);
        }
        devices.iter().map(|device| device.platform).collect()
    }

    #[test]
    fn policies_by_platform() {
        let check = |policy, logins: &[Platform], expected: &[Platform]| {
            assert_eq!(left(&settings(policy, 1, 1), logins), expected, "{policy} {logins:?}");
        };
        check("single", &[Android, Web], &[Web]);
        check("single", &[Android, IPad, Pc], &[Pc]);
        check("dual", &[Android, Web], &[Android, Web]);
        check("dual", &[Android, Web, Pc], &[Web, Pc]);
        check("dual", &[IPhone, Android], &[Android]);
        check("triple", &[IPhone, Mac, Web], &[IPhone, Mac, Web]);
        check("triple", &[IPhone, Mac, Web, IPad], &[Mac, Web, IPad]);
        check("triple", &[Mac, Pc], &[Pc]);
        check(
            "multi",
            &[IPhone, Android, IPad, Mac, Pc, Web],
            &[IPhone, Android, IPad, Mac, Pc, Web],
        );
    }

    #[test]
    fn the_earliest_of_a_platform_goes_first() {
        assert_eq!(left(&settings("multi", 2, 1), &[Web, Web, Web]), [Web, Web]);
        assert_eq!(left(&settings("multi", 1, 3), &[Mac, Mac, Mac, Mac]).len(), 3);
        assert_eq!(left(&settings("dual", 1, 3), &[Mac, Mac]).len(), 1, "several need multi");
        let new = Device { inst_id: 3, platform: Web, login_ms: 3 };
        let others =
            [(2, 2), (1, 1)].map(|(inst_id, login_ms)| Device { inst_id, login_ms, ..new });
        let out = displaced(&settings("multi", 2, 1), &others, &new);
        assert_eq!(out, [(1, KickType::MultipleAccount)]);
    }
}
