use proptest::prelude::*;

use super::*;

/// Values by document: a number, a text or an address may stand there several times or not at all.
type Docs = Vec<Vec<u16>>;

const NAMES: [&str; 3] = ["number", "text", "address"];

fn text(value: u16) -> String {
    let word = ["Order", "order", "ORDER-é", "x"];
    let word = word.get(usize::from(value) % word.len()).unwrap();
    format!("{word}{}", value / 3)
}

fn address(value: u16) -> [u8; 16] {
    std::net::Ipv4Addr::from_bits(u32::from(value) * 77)
        .to_ipv6_mapped()
        .octets()
}

fn columns(docs: &Docs) -> Columns {
    let mut gather = Gather::default();
    for (doc, values) in (0u32..).zip(docs) {
        for value in values {
            gather.number(0, "number", doc, u64::from(*value) << 40);
            gather.term(1, "text", Kind::Text, doc, text(*value).as_bytes());
            gather.term(2, "address", Kind::Address, doc, &address(*value));
        }
    }
    let mut bytes = Vec::new();
    let count = u32::try_from(docs.len()).unwrap();
    gather.write(count, &mut bytes).unwrap();
    Columns::open(OwnedBytes::new(bytes), count).unwrap()
}

/// Document and value as text, for every value of a range.
fn shown(columns: &Columns, name: &str, docs: Range<u32>) -> Vec<(u32, String)> {
    let mut shown = Vec::new();
    match columns.get(name).unwrap() {
        None => {}
        Some(Values::Number(column)) => {
            column.each(docs, |doc, value| shown.push((doc, value.to_string())));
        }
        Some(Values::Text(terms) | Values::Address(terms)) => {
            terms.ords().each(docs, |doc, ord| {
                let term = terms.dictionary().get(u32::try_from(ord).unwrap());
                let term = term.unwrap();
                shown.push((doc, String::from_utf8_lossy(&term).into_owned()));
            });
        }
    }
    shown
}

fn expected(docs: &Docs, name: &str, range: Range<u32>) -> Vec<(u32, String)> {
    let show = |value: u16| match name {
        "number" => (u64::from(value) << 40).to_string(),
        "text" => text(value),
        _ => String::from_utf8_lossy(&address(value)).into_owned(),
    };
    (0u32..)
        .zip(docs)
        .filter(|(doc, _)| range.contains(doc))
        .flat_map(|(doc, values)| values.iter().map(move |value| (doc, *value)))
        .map(|(doc, value)| (doc, show(value)))
        .collect()
}

fn documents() -> impl Strategy<Value = Docs> {
    let some = prop::collection::vec(prop::collection::vec(0..200u16, 0..3), 1..60);
    let full = prop::collection::vec(prop::collection::vec(any::<u16>(), 1..2), 1..60);
    // Longer than a block, from a short pattern.
    (prop_oneof![some, full], 1usize..60).prop_map(|(pattern, times)| {
        let length = pattern.len() * times;
        pattern.into_iter().cycle().take(length).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn values_come_back(docs in documents(), from in 0u32..3_000, length in 0u32..3_000) {
        let columns = columns(&docs);
        let count = u32::try_from(docs.len()).unwrap();
        for name in NAMES {
            for range in [0..count, from.min(count)..from.saturating_add(length).min(count)] {
                prop_assert_eq!(
                    shown(&columns, name, range.clone()),
                    expected(&docs, name, range)
                );
            }
        }
    }

    #[test]
    fn merged_columns_hold_what_their_parts_held(parts in prop::collection::vec(documents(), 1..4)) {
        let opened: Vec<Columns> = parts.iter().map(columns).collect();
        let opened: Vec<&Columns> = opened.iter().collect();
        let mut bytes = Vec::new();
        merge(&opened, NAMES.into_iter(), &mut bytes).unwrap();
        let all: Docs = parts.concat();
        let count = u32::try_from(all.len()).unwrap();
        let merged = Columns::open(OwnedBytes::new(bytes), count).unwrap();
        for name in NAMES {
            prop_assert_eq!(shown(&merged, name, 0..count), expected(&all, name, 0..count));
        }
    }
}

#[test]
fn damaged_files_are_refused_and_never_panic() {
    let docs: Docs = (0..50).map(|at| vec![at]).collect();
    let mut gather = Gather::default();
    for (doc, values) in (0u32..).zip(&docs) {
        gather.number(0, "number", doc, u64::from(values[0]));
        gather.term(1, "text", Kind::Text, doc, text(values[0]).as_bytes());
    }
    let mut bytes = Vec::new();
    gather.write(50, &mut bytes).unwrap();
    for at in 0..bytes.len() {
        let mut hurt = bytes.clone();
        hurt[at] ^= 0x41;
        let cut = OwnedBytes::new(bytes[..at].to_vec());
        for bytes in [OwnedBytes::new(hurt), cut] {
            if let Some(columns) = Columns::open(bytes, 50) {
                for name in NAMES {
                    if let Ok(Some(Values::Text(terms))) = columns.get(name) {
                        terms.dictionary().each(0, |_, _| true);
                        terms.ords().each(0..50, |_, _| {});
                    }
                }
            }
        }
    }
}
