//! Networks: blocks of addresses as people write them.

use std::net::IpAddr;

use serde::Deserialize;

/// A network: an address and how many of its leading bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Cidr {
    address: IpAddr,
    bits: u8,
}

impl TryFrom<String> for Cidr {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("{text:?} is not a network such as 10.0.0.0/8"))
    }
}

impl Cidr {
    /// A network; `None` where an address has not so many bits.
    #[must_use]
    pub fn new(address: IpAddr, bits: u8) -> Option<Self> {
        let width = if address.is_ipv4() { 32 } else { 128 };
        (bits <= width).then_some(Self { address, bits })
    }

    /// From `10.0.0.0/8`, `fd00::/8`, or one address, which is a network of one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        match text.split_once('/') {
            Some((address, bits)) => Self::new(address.parse().ok()?, bits.parse().ok()?),
            None => {
                let address: IpAddr = text.parse().ok()?;
                Self::new(address, if address.is_ipv4() { 32 } else { 128 })
            }
        }
    }

    /// Whether the address lies in the network. An IPv4 address never lies in an IPv6 network.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        let same = match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                (address.to_bits() ^ network.to_bits()).leading_zeros()
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                (address.to_bits() ^ network.to_bits()).leading_zeros()
            }
            _ => return false,
        };
        same >= u32::from(self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_their_addresses() {
        let holds = |network: &str, address: &str| {
            Cidr::parse(network)
                .unwrap()
                .holds(address.parse().unwrap())
        };
        assert!(holds("10.0.0.0/8", "10.255.0.1") && !holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("0.0.0.0/0", "1.2.3.4") && !holds("0.0.0.0/0", "::1"));
        assert!(holds("::/0", "2001:db8::1") && holds("2001:db8::/32", "2001:db8:1::1"));
        assert!(holds(" 192.0.2.1 ", "192.0.2.1") && !holds("192.0.2.1", "192.0.2.2"));
        assert!(holds("::1/128", "::1") && !holds("::1/128", "::2"));
    }

    #[test]
    fn networks_read_strictly() {
        for bad in [
            "",
            "x/8",
            "10.0.0.0/33",
            "::/129",
            "10.0.0/8",
            "10.0.0.0/-1",
            "10.0.0.0/",
        ] {
            assert_eq!(Cidr::parse(bad), None, "{bad}");
        }
    }
}
