//! Writes small MMDB files, for tests (format: MaxMind DB File Format Specification 2.0).

use std::net::Ipv4Addr;

/// A value of the data section.
pub(super) enum Data {
    Text(&'static str),
    Number(u32),
    Map(Vec<(&'static str, Data)>),
}

fn control(kind: u8, size: usize, to: &mut Vec<u8>) {
    assert!(size < 29 + 256);
    let (head, tail) = if size < 29 {
        (size, None)
    } else {
        (29, Some(size - 29))
    };
    if kind > 7 {
        to.push(head as u8);
        to.push(kind - 7);
    } else {
        to.push(kind << 5 | head as u8);
    }
    to.extend(tail.map(|size| size as u8));
}

fn write(data: &Data, to: &mut Vec<u8>) {
    match data {
        Data::Text(text) => {
            control(2, text.len(), to);
            to.extend_from_slice(text.as_bytes());
        }
        Data::Number(number) => {
            control(6, 4, to);
            to.extend_from_slice(&number.to_be_bytes());
        }
        Data::Map(pairs) => {
            control(7, pairs.len(), to);
            for (key, value) in pairs {
                write(&Data::Text(key), to);
                write(value, to);
            }
        }
    }
}

/// A database of IPv4 networks; none may lie in another.
pub(super) fn file(networks: Vec<(&str, Data)>) -> Vec<u8> {
    const NONE: usize = usize::MAX;
    // Per node the two children: a node, or a place in the data section.
    let mut nodes = vec![[(NONE, false); 2]];
    let mut section = Vec::new();
    for (network, data) in networks {
        let (base, bits) = network.split_once('/').unwrap();
        let base: Ipv4Addr = base.parse().unwrap();
        let bits: u32 = bits.parse().unwrap();
        let offset = section.len();
        write(&data, &mut section);
        let mut node = 0;
        for bit in 0..bits {
            let side = (base.to_bits() >> (31 - bit) & 1) as usize;
            if bit + 1 == bits {
                nodes[node][side] = (offset, true);
            } else if nodes[node][side].0 == NONE {
                nodes.push([(NONE, false); 2]);
                let next = nodes.len() - 1;
                nodes[node][side] = (next, false);
                node = next;
            } else {
                node = nodes[node][side].0;
            }
        }
    }
    let count = nodes.len();
    let mut out = Vec::new();
    for (at, is_data) in nodes.into_iter().flatten() {
        let value = match (at, is_data) {
            (NONE, _) => count,
            (offset, true) => count + 16 + offset,
            (node, false) => node,
        };
        out.extend_from_slice(&(value as u32).to_be_bytes()[1..]);
    }
    out.extend_from_slice(&[0; 16]);
    out.extend(section);
    out.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
    control(7, 9, &mut out);
    let short = |name: &'static str, number: u16, out: &mut Vec<u8>| {
        write(&Data::Text(name), out);
        control(5, 2, out);
        out.extend_from_slice(&number.to_be_bytes());
    };
    write(&Data::Text("node_count"), &mut out);
    write(&Data::Number(count as u32), &mut out);
    short("record_size", 24, &mut out);
    short("ip_version", 4, &mut out);
    short("binary_format_major_version", 2, &mut out);
    short("binary_format_minor_version", 0, &mut out);
    write(&Data::Text("database_type"), &mut out);
    write(&Data::Text("Test"), &mut out);
    write(&Data::Text("languages"), &mut out);
    control(11, 0, &mut out);
    write(&Data::Text("build_epoch"), &mut out);
    control(9, 1, &mut out);
    out.push(1);
    write(&Data::Text("description"), &mut out);
    control(7, 0, &mut out);
    out
}
