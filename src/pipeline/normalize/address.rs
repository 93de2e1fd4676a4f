//! Client addresses: as written by the source, and behind proxies that are trusted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::{Deserialize, Deserializer, de::Error as _};

/// Hops of `X-Forwarded-For` that are looked at, from the right.
const HOPS_MAX: usize = 32;

/// A block of addresses, `10.0.0.0/8`; a plain address is a block of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    base: IpAddr,
    bits: u8,
}

impl Cidr {
    /// Reads `address/bits` or `address`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().ok()?)),
            None => (text, None),
        };
        let base: IpAddr = address.trim().parse().ok()?;
        let width = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(width);
        (bits <= width).then_some(Self { base, bits })
    }

    /// Whether an address lies in the block.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                let shift = 32 - u32::from(self.bits);
                let head = |a: Ipv4Addr| u64::from(a.to_bits()) >> shift;
                head(base) == head(address)
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                let shift = 128 - u32::from(self.bits);
                let head = |a: Ipv6Addr| a.to_bits().checked_shr(shift).unwrap_or(0);
                head(base) == head(address)
            }
            _ => false,
        }
    }
}

impl<'de> Deserialize<'de> for Cidr {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("not an address or block of addresses"))
    }
}

/// An address as logs write it: plain, `ip:port`, `[ip]:port`, with a zone; IPv4 in IPv6 becomes IPv4.
pub(super) fn parse(text: &str) -> Option<(IpAddr, Option<u16>)> {
    let text = text.trim();
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some((address.to_canonical(), None));
    }
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return Some((socket.ip().to_canonical(), Some(socket.port())));
    }
    let inside = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let plain = inside.unwrap_or(text).split('%').next()?;
    let address: IpAddr = plain.parse().ok()?;
    Some((address.to_canonical(), None))
}

/// The rightmost hop that is no trusted proxy; where all are trusted, the leftmost.
///
/// `peer` is the last hop, known for sure; what stands before it in the chain was written by the hop after,
/// so nothing left of an untrusted hop is believed.
pub(super) fn client(chain: &str, peer: Option<IpAddr>, trusted: &[Cidr]) -> Option<IpAddr> {
    let is_trusted = |address: IpAddr| trusted.iter().any(|block| block.contains(address));
    let mut client = peer;
    if peer.is_some_and(|peer| !is_trusted(peer)) {
        return client;
    }
    for hop in chain.rsplit(',').take(HOPS_MAX) {
        let Some((address, _)) = parse(hop) else {
            break;
        };
        client = Some(address);
        if !is_trusted(address) {
            break;
        }
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_in_all_spellings() {
        assert_eq!(parse("203.0.113.9"), Some((ip("203.0.113.9"), None)));
        assert_eq!(
            parse(" 203.0.113.9:80"),
            Some((ip("203.0.113.9"), Some(80)))
        );
        assert_eq!(parse("::ffff:203.0.113.9"), Some((ip("203.0.113.9"), None)));
        assert_eq!(
            parse("[2001:db8::1]:443"),
            Some((ip("2001:db8::1"), Some(443)))
        );
        assert_eq!(parse("[2001:db8::1]"), Some((ip("2001:db8::1"), None)));
        assert_eq!(parse("fe80::1%eth0"), Some((ip("fe80::1"), None)));
        for text in [
            "",
            "unknown",
            "300.1.1.1",
            "1.2.3",
            "host:80",
            "1.2.3.4:99999",
            "[",
            "[]",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn blocks_hold_their_addresses() {
        let holds = |block: &str, address: &str| Cidr::parse(block).unwrap().contains(ip(address));
        assert!(holds("10.0.0.0/8", "10.255.0.1") && !holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("0.0.0.0/0", "1.2.3.4") && !holds("0.0.0.0/0", "::1"));
        assert!(holds("::/0", "2001:db8::1") && holds("2001:db8::/32", "2001:db8:1::1"));
        assert!(holds("192.0.2.1", "192.0.2.1") && !holds("192.0.2.1", "192.0.2.2"));
        for text in ["", "10.0.0.0/33", "x/8", "::/129", "10.0.0.0/-1"] {
            assert_eq!(Cidr::parse(text), None, "{text}");
        }
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let trusted = [Cidr::parse("10.0.0.0/8").unwrap()];
        let check = |chain, peer: Option<&str>, expected: &str| {
            assert_eq!(
                client(chain, peer.map(ip), &trusted),
                Some(ip(expected)),
                "{chain}"
            );
        };
        check("198.51.100.7", Some("10.0.0.1"), "198.51.100.7");
        check(
            "6.6.6.6, 198.51.100.7, 10.0.0.2",
            Some("10.0.0.1"),
            "198.51.100.7",
        );
        check("6.6.6.6", Some("203.0.113.9"), "203.0.113.9");
        check("10.0.0.3, 10.0.0.2", Some("10.0.0.1"), "10.0.0.3");
        check("junk, 10.0.0.2", Some("10.0.0.1"), "10.0.0.2");
        check("6.6.6.6, 198.51.100.7", None, "198.51.100.7");
        assert_eq!(client("", None, &trusted), None);
    }
}
