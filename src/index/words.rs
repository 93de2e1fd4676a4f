//! The words of a segment: a term dictionary and, per term, the documents that hold it.
//!
//! A term is a word and one byte for its place: 0 in `message`, 1 elsewhere and not in `message`. So `message:word` needs
//! one list, a bare word both, and no document stands in two lists of a word.
//!
//! File: `postings · dictionary (tantivy's FST) · length of postings u64 LE`.

use std::collections::HashMap;
use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;

use super::postings::{Block, Postings, SLICE_DOCS, blocks};
use tantivy::directory::{FileSlice, OwnedBytes};
use tantivy::postings::TermInfo;
use tantivy::termdict::{TermDictionary, TermDictionaryBuilder, TermStreamer};

/// Where in the event a word stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In `message`.
    Message,
    /// In any other text, and not in `message`.
    Elsewhere,
}

impl Place {
    fn byte(self) -> u8 {
        match self {
            Self::Message => 0,
            Self::Elsewhere => 1,
        }
    }
}

/// Gathers the words of a segment in the making.
#[derive(Debug, Default)]
pub(super) struct Builder {
    places: HashMap<Box<str>, usize, foldhash::fast::RandomState>,
    lists: Vec<[Postings; 2]>,
    bytes: usize,
}

impl Builder {
    /// Where the documents of a word are gathered.
    pub(super) fn list(&mut self, word: &str) -> usize {
        if let Some(at) = self.places.get(word) {
            return *at;
        }
        let at = self.lists.len();
        self.lists.push(Default::default());
        self.places.insert(word.into(), at);
        self.bytes += 200 + word.len();
        at
    }

    /// Adds a document to the list of a word; the words of `message` come before those from elsewhere.
    pub(super) fn push(&mut self, doc: u32, list: usize, place: Place) {
        let Some([message, elsewhere]) = self.lists.get_mut(list) else {
            return;
        };
        let is_added = match place {
            Place::Message => message.push(doc),
            Place::Elsewhere => message.last() != Some(doc) && elsewhere.push(doc),
        };
        self.bytes += if is_added { 2 } else { 0 };
    }

    /// About how many bytes of memory are held.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Writes the file.
    pub(super) fn write(mut self, to: &mut impl Write) -> io::Result<()> {
        let mut terms: Vec<(Box<str>, usize)> = self.places.drain().collect();
        // A word and its place byte sort as the word: 0 and 1 are no part of words.
        terms.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let mut writer = Writer::new(to)?;
        let mut key = Vec::new();
        for (word, at) in &terms {
            let Some(lists) = self.lists.get_mut(*at) else {
                continue;
            };
            for (postings, place) in lists.iter_mut().zip([Place::Message, Place::Elsewhere]) {
                if postings.count() > 0 {
                    key.clear();
                    key.extend_from_slice(word.as_bytes());
                    key.push(place.byte());
                    writer.term(&key, postings)?;
                }
            }
        }
        writer.finish()
    }
}

struct Writer<'w, W: Write> {
    to: &'w mut W,
    at: usize,
    dictionary: TermDictionaryBuilder<Vec<u8>>,
}

impl<'w, W: Write> Writer<'w, W> {
    fn new(to: &'w mut W) -> io::Result<Self> {
        Ok(Self {
            to,
            at: 0,
            dictionary: TermDictionaryBuilder::create(Vec::new())?,
        })
    }

    fn term(&mut self, key: &[u8], postings: &mut Postings) -> io::Result<()> {
        let doc_freq = postings.count();
        let bytes = postings.finish();
        self.to.write_all(bytes)?;
        let info = TermInfo {
            doc_freq,
            postings_range: self.at..self.at + bytes.len(),
            positions_range: 0..0,
        };
        self.at += bytes.len();
        self.dictionary.insert(key, &info)
    }

    fn finish(self) -> io::Result<()> {
        self.to.write_all(&self.dictionary.finish()?)?;
        let length = u64::try_from(self.at).unwrap_or(u64::MAX);
        self.to.write_all(&length.to_le_bytes())
    }
}

/// The documents of one term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct List {
    /// How many documents.
    pub(super) count: u32,
    bytes: Range<usize>,
}

/// The words of a segment, read from a memory map.
#[derive(Clone)]
pub(super) struct Words {
    dictionary: TermDictionary,
    postings: OwnedBytes,
}

impl Words {
    /// Opens the file; `None` where the bytes are none.
    pub(super) fn open(bytes: OwnedBytes) -> Option<Self> {
        let length = bytes.as_slice().last_chunk::<8>().copied()?;
        let length = usize::try_from(u64::from_le_bytes(length)).ok()?;
        if length > bytes.len() - 8 {
            return None;
        }
        let (body, _) = bytes.rsplit(8);
        let (postings, dictionary) = body.split(length);
        let dictionary = TermDictionary::open(FileSlice::new(Arc::new(dictionary))).ok()?;
        Some(Self {
            dictionary,
            postings,
        })
    }

    /// The list of a word at a place.
    pub(super) fn get(&self, word: &str, place: Place) -> io::Result<Option<List>> {
        let mut key = word.as_bytes().to_vec();
        key.push(place.byte());
        Ok(self.dictionary.get(key)?.map(list))
    }

    /// Lists of all words that start with `prefix` and are accepted; `None` where there are more than `max`.
    pub(super) fn expand(
        &self,
        prefix: &str,
        accept: impl Fn(&str) -> bool,
        max: usize,
    ) -> io::Result<Option<Vec<List>>> {
        let mut lists = Vec::new();
        let mut stream = self.dictionary.range().ge(prefix).into_stream()?;
        while stream.advance() {
            let key = stream.key();
            if !key.starts_with(prefix.as_bytes()) {
                break;
            }
            let word = key.split_last().map(|(_, word)| std::str::from_utf8(word));
            if matches!(word, Some(Ok(word)) if accept(word)) {
                if lists.len() == max {
                    return Ok(None);
                }
                lists.push(list(stream.value().clone()));
            }
        }
        Ok(Some(lists))
    }

    /// Sets the bits of the documents of a list that stand in a slice.
    pub(super) fn fill(&self, list: &List, slice: u32, bits: &mut [u64]) {
        for block in self.blocks(list) {
            if block.slice == slice {
                block.each(|at| {
                    if let Some(word) = usize::try_from(at / 64)
                        .ok()
                        .and_then(|at| bits.get_mut(at))
                    {
                        *word |= 1 << (at % 64);
                    }
                });
            }
            if block.slice >= slice {
                return;
            }
        }
    }

    fn blocks(&self, list: &List) -> impl Iterator<Item = Block<'_>> {
        let bytes = self.postings.as_slice().get(list.bytes.clone());
        blocks(bytes.unwrap_or_default())
    }
}

impl std::fmt::Debug for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Words")
            .field("terms", &self.dictionary.num_terms())
            .finish_non_exhaustive()
    }
}

fn list(info: TermInfo) -> List {
    List {
        count: info.doc_freq,
        bytes: info.postings_range,
    }
}

/// Writes one file from those of neighbouring segments; `docs` are their document counts.
pub(super) fn merge(parts: &[(Words, u32)], to: &mut impl Write) -> io::Result<()> {
    let mut base = 0u32;
    let mut streams: Vec<(TermStreamer<'_>, &Words, u32)> = Vec::with_capacity(parts.len());
    for (words, docs) in parts {
        let mut stream = words.dictionary.stream()?;
        if stream.advance() {
            streams.push((stream, words, base));
        }
        base += docs;
    }
    let mut writer = Writer::new(to)?;
    let mut key = Vec::new();
    while let Some(smallest) = streams.iter().map(|(stream, ..)| stream.key()).min() {
        key.clear();
        key.extend_from_slice(smallest);
        let mut postings = Postings::default();
        streams.retain_mut(|(stream, words, base)| {
            if stream.key() != key {
                return true;
            }
            for block in words.blocks(&list(stream.value().clone())) {
                let start = *base + block.slice * SLICE_DOCS;
                block.each(|at| {
                    postings.push(start + at);
                });
            }
            stream.advance()
        });
        writer.term(&key, &mut postings)?;
    }
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(docs: u32, has: impl Fn(u32, u32) -> bool) -> (Words, u32) {
        let mut builder = Builder::default();
        for doc in 0..docs {
            for word in 0..4 {
                if has(doc, word) {
                    let list = builder.list(&format!("w{word}"));
                    builder.push(doc, list, Place::Message);
                    builder.push(doc, list, Place::Elsewhere);
                }
            }
            let list = builder.list("elsewhere");
            builder.push(doc, list, Place::Elsewhere);
        }
        let mut bytes = Vec::new();
        builder.write(&mut bytes).unwrap();
        (Words::open(OwnedBytes::new(bytes)).unwrap(), docs)
    }

    fn docs_of(words: &Words, word: &str, place: Place, docs: u32) -> Vec<u32> {
        let Some(list) = words.get(word, place).unwrap() else {
            return vec![];
        };
        let mut all = vec![];
        for slice in 0..docs.div_ceil(SLICE_DOCS) {
            let mut bits = vec![0u64; 1024];
            words.fill(&list, slice, &mut bits);
            for doc in 0..SLICE_DOCS {
                if bits[(doc / 64) as usize] >> (doc % 64) & 1 == 1 {
                    all.push(slice * SLICE_DOCS + doc);
                }
            }
        }
        assert_eq!(all.len(), list.count as usize);
        all
    }

    fn has(doc: u32, word: u32) -> bool {
        match word {
            0 => doc.is_multiple_of(2),
            1 => doc % 1_000 == 7,
            2 => doc == 70_000,
            _ => false,
        }
    }

    #[test]
    fn lists_hold_exactly_their_documents() {
        let (words, docs) = words(150_000, has);
        for word in 0..4 {
            let expected: Vec<u32> = (0..docs).filter(|doc| has(*doc, word)).collect();
            assert_eq!(
                docs_of(&words, &format!("w{word}"), Place::Message, docs),
                expected
            );
            assert_eq!(
                words.get(&format!("w{word}"), Place::Elsewhere).unwrap(),
                None
            );
        }
        assert_eq!(
            docs_of(&words, "elsewhere", Place::Elsewhere, docs).len(),
            150_000
        );
    }

    #[test]
    fn merged_lists_are_those_of_the_parts() {
        let parts = [
            words(10, has),
            words(70_001, has),
            words(0, has),
            words(66_000, has),
        ];
        let mut bytes = Vec::new();
        merge(&parts, &mut bytes).unwrap();
        let merged = Words::open(OwnedBytes::new(bytes)).unwrap();
        let total: u32 = parts.iter().map(|(_, docs)| docs).sum();
        for word in 0..4 {
            let mut expected = vec![];
            let mut base = 0;
            for (_, docs) in &parts {
                expected.extend(
                    (0..*docs)
                        .filter(|doc| has(*doc, word))
                        .map(|doc| base + doc),
                );
                base += docs;
            }
            assert_eq!(
                docs_of(&merged, &format!("w{word}"), Place::Message, total),
                expected
            );
        }
    }

    #[test]
    fn prefixes_expand_up_to_a_bound() {
        let (words, _) = words(2_000, has);
        assert_eq!(
            words.expand("w", |_| true, 9).unwrap().map(|l| l.len()),
            Some(2)
        );
        assert_eq!(
            words
                .expand("w", |w| w == "w1", 9)
                .unwrap()
                .map(|l| l.len()),
            Some(1)
        );
        assert_eq!(words.expand("", |_| true, 2).unwrap(), None);
        assert_eq!(words.expand("zz", |_| true, 2).unwrap(), Some(vec![]));
    }

    #[test]
    fn damaged_files_are_refused() {
        assert!(Words::open(OwnedBytes::new(vec![])).is_none());
        assert!(Words::open(OwnedBytes::new(vec![255; 8])).is_none());
    }
}
