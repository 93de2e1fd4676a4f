//! Which addresses messages may go to: pure. Everything that is not the public internet is forbidden, unless the
//! operator names it, in any of the ways an IPv4 address can hide in an IPv6 one. The set is that of smokescreen,
//! svix and hook0 together (reference: the IANA special-purpose registries).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::Cidr;

/// Whether an address lies in a network of the tables below.
fn is_in(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    Cidr::new(network, bits).is_some_and(|network| network.holds(address))
}

const V4_FORBIDDEN: [([u8; 4], u8); 15] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

/// Networks by their first segments; the rest is zero.
const V6_FORBIDDEN: [([u16; 3], u8); 9] = [
    ([0x64, 0xff9b, 1], 48),
    ([0x100, 0, 0], 64),
    ([0x2001, 0, 0], 32),
    ([0x2001, 0xdb8, 0], 32),
    ([0x3fff, 0, 0], 20),
    ([0x5f00, 0, 0], 16),
    ([0xfc00, 0, 0], 7),
    ([0xfe80, 0, 0], 10),
    ([0xff00, 0, 0], 8),
];

/// Whether messages may go to the address; `allowed` are the networks the operator names.
#[must_use]
pub fn may_reach(address: IpAddr, allowed: &[Cidr]) -> bool {
    let address = address.to_canonical();
    if allowed.iter().any(|network| network.holds(address)) {
        return true;
    }
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match embedded_v4(address) {
            Some(inner) => is_public_v4(inner),
            None => V6_FORBIDDEN.iter().all(|([a, b, c], bits)| {
                let network = Ipv6Addr::new(*a, *b, *c, 0, 0, 0, 0, 0);
                !is_in(address.into(), network.into(), *bits)
            }),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    V4_FORBIDDEN
        .iter()
        .all(|(network, bits)| !is_in(address.into(), Ipv4Addr::from(*network).into(), *bits))
}

/// The IPv4 address that a packet to this IPv6 address ends up at: IPv4-compatible (which holds `::` and `::1`),
/// NAT64 and 6to4. (IPv4-mapped ones are gone by now.)
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let bits = address.to_bits();
    let last = Ipv4Addr::from_bits(u32::try_from(bits & 0xffff_ffff).unwrap_or(0));
    match address.segments() {
        [0, 0, 0, 0, 0, 0, _, _] | [0x64, 0xff9b, 0, 0, 0, 0, _, _] => Some(last),
        [0x2002, high, low, ..] => Some(Ipv4Addr::from_bits(
            (u32::from(high) << 16) | u32::from(low),
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(text: &str) -> bool {
        may_reach(text.parse().unwrap(), &[])
    }

    #[test]
    fn private_and_special_addresses_are_forbidden() {
        let forbidden = "0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.127.255.255 127.0.0.1 127.9.9.9 \
            169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.1 192.0.2.1 192.88.99.1 192.168.1.1 \
            198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.9 224.0.0.1 239.1.1.1 240.0.0.1 \
            255.255.255.255 :: ::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::127.0.0.1 ::10.0.0.1 \
            64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::1 100::1 2001::1 2001:0:4136::1 \
            2001:db8::1 3fff::1 3fff:fff::1 2002:7f00:1::1 2002:a00:1:: 5f00::1 fc00::1 \
            fd00:ec2::254 fe80::1 febf::1 ff02::1";
        for text in forbidden.split_whitespace() {
            assert!(!may(text), "{text}");
        }
    }

    #[test]
    fn public_addresses_are_fine() {
        let public = "1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.0.0.1 \
            128.0.0.1 172.15.255.255 172.32.0.0 192.0.1.0 192.167.1.1 198.17.0.1 198.20.0.0 \
            223.255.255.255 ::ffff:8.8.8.8 64:ff9b::808:808 2002:808:808::1 2606:4700::1111 \
            2001:4860:4860::8888 2a00:1450::1";
        for text in public.split_whitespace() {
            assert!(may(text), "{text}");
        }
    }

    #[test]
    fn the_operator_opens_single_networks() {
        let allowed = [
            Cidr::parse("10.1.0.0/16").unwrap(),
            Cidr::parse("::1").unwrap(),
        ];
        let may = |text: &str| may_reach(text.parse().unwrap(), &allowed);
        assert!(may("10.1.2.3") && may("::ffff:10.1.2.3") && may("::1"));
        assert!(!may("10.2.0.1") && !may("127.0.0.1"));
    }
}
