//! Client addresses: as written by the source, and behind proxies that are trusted.

use std::net::{IpAddr, SocketAddr};

use crate::model::Cidr;

/// Hops of `X-Forwarded-For` that are looked at, from the right.
const HOPS_MAX: usize = 32;

/// An address as logs write it: plain, `ip:port`, `[ip]:port`, with a zone; IPv4 in IPv6 becomes
/// IPv4.
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
/// `peer` is the last hop, known for sure; what stands before it in the chain was written by the
/// hop after, so nothing left of an untrusted hop is believed.
pub(super) fn client(chain: &str, peer: Option<IpAddr>, trusted: &[Cidr]) -> Option<IpAddr> {
    let is_trusted = |address: IpAddr| trusted.iter().any(|block| block.holds(address));
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
