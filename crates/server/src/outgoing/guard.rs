//! Which addresses a webhook may be sent to: not where it would reach what only the server's own machine may.
//!
//! Looked at is the address that is connected to, after the look-up of the name: so a name that leads elsewhere
//! the next time, or a redirect, gets nobody further.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is to the guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Anybody may be there.
    Public,
    /// This machine or its network: only where the app allows that.
    Private,
    /// Refused always: it is no host, or hands out the secrets of the machine that asks.
    Never,
}

/// What `ip` is.
pub(crate) fn reach(ip: IpAddr) -> Reach {
    match ip {
        IpAddr::V4(ip) => reach_v4(ip),
        IpAddr::V6(ip) => reach_v6(ip),
    }
}

/// Services that tell a machine in a cloud about itself and are not link-local.
const METADATA: [Ipv4Addr; 3] = [
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 0, 0, 192),
];
const METADATA_V6: [Ipv6Addr; 2] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];

fn reach_v4(ip: Ipv4Addr) -> Reach {
    let [a, b, c, _] = ip.octets();
    match (a, b, c) {
        _ if METADATA.contains(&ip) => Reach::Never,
        // This network, link-local, multicast, reserved, broadcast.
        (0, ..) | (169, 254, _) | (224.., ..) => Reach::Never,
        (10 | 127, ..) | (172, 16..=31, _) | (192, 168, _) => Reach::Private,
        // Shared by customers of a provider, protocol assignments, benchmarks.
        (100, 64..=127, _) | (192, 0, 0) | (198, 18..=19, _) => Reach::Private,
        _ => Reach::Public,
    }
}

fn reach_v6(ip: Ipv6Addr) -> Reach {
    if METADATA_V6.contains(&ip) {
        return Reach::Never;
    }
    if let Some(inner) = embedded(ip) {
        return reach_v4(inner);
    }
    match ip.segments()[0] {
        _ if ip.is_loopback() => Reach::Private,
        _ if ip.is_unspecified() => Reach::Never,
        // Link-local, multicast, and what site-local once was.
        0xfe80..=0xfeff | 0xff00.. => Reach::Never,
        0xfc00..=0xfdff => Reach::Private,
        _ => Reach::Public,
    }
}

/// The IPv4 address that an IPv6 address stands for: mapped, translated (NAT64), or tunnelled (6to4).
fn embedded(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let two = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match ip.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] => Some(two(high, low)),
        [0x64, 0xff9b, 0 | 1, _, _, _, high, low] => Some(two(high, low)),
        [0x2002, high, low, ..] => Some(two(high, low)),
        // The old compatible form; the loopback and the unspecified address look like it.
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => Some(two(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (ip, expected) in [
            ("1.1.1.1", Reach::Public),
            ("172.15.255.255", Reach::Public),
            ("172.32.0.1", Reach::Public),
            ("100.63.255.255", Reach::Public),
            ("169.253.1.1", Reach::Public),
            ("223.255.255.255", Reach::Public),
            ("2606:4700::1111", Reach::Public),
            ("10.0.0.1", Reach::Private),
            ("127.0.0.1", Reach::Private),
            ("127.255.0.9", Reach::Private),
            ("172.16.0.1", Reach::Private),
            ("172.31.255.255", Reach::Private),
            ("192.168.1.1", Reach::Private),
            ("100.64.0.1", Reach::Private),
            ("198.19.0.1", Reach::Private),
            ("::1", Reach::Private),
            ("fd12:3456::1", Reach::Private),
            ("::ffff:127.0.0.1", Reach::Private),
            ("64:ff9b::10.0.0.1", Reach::Private),
            ("2002:0a00:0001::1", Reach::Private),
            ("::7f00:1", Reach::Private),
            ("0.0.0.0", Reach::Never),
            ("169.254.169.254", Reach::Never),
            ("169.254.0.1", Reach::Never),
            ("100.100.100.200", Reach::Never),
            ("168.63.129.16", Reach::Never),
            ("192.0.0.192", Reach::Never),
            ("224.0.0.1", Reach::Never),
            ("255.255.255.255", Reach::Never),
            ("::", Reach::Never),
            ("fe80::1", Reach::Never),
            ("febf::1", Reach::Never),
            ("ff02::1", Reach::Never),
            ("fd00:ec2::254", Reach::Never),
            ("::ffff:169.254.169.254", Reach::Never),
            ("64:ff9b::169.254.169.254", Reach::Never),
            ("2002:a9fe:a9fe::", Reach::Never),
        ] {
            assert_eq!(reach(ip.parse().expect("an address")), expected, "{ip}");
        }
    }
}
