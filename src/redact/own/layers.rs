//! What hides in a value under escapes, percent and base64: the operator's rules are tried on what they say too.

use std::ops::Range;

use super::super::Redactor;
use super::super::effort::Effort;
use super::super::undone::Undone;
use super::super::{decoded, spans};
use super::Own;
use super::find::{Found, How};

/// More finds than may be replaced one by one, or more time than a value has.
pub(super) struct TooMuch;

impl Own {
    /// Every find in a text and in what is encoded in it, in order, without overlaps.
    pub(super) fn places<'o>(
        &'o self,
        redactor: &Redactor,
        path: Option<&str>,
        text: &[u8],
        effort: Effort,
    ) -> Result<Vec<Found<'o>>, TooMuch> {
        let mut found = self.plain(redactor, path, text, effort)?;
        if effort.layer < decoded::LAYERS {
            self.undone(redactor, path, text, effort, &mut found)?;
            if text.len() >= decoded::RUN_MIN {
                self.base64(redactor, path, text, effort, &mut found)?;
            }
        }
        Ok(settle(found))
    }

    /// Searches the text with its escapes and `%XX` undone and brings the finds back.
    fn undone<'o>(
        &'o self,
        redactor: &Redactor,
        path: Option<&str>,
        text: &[u8],
        effort: Effort,
        found: &mut Vec<Found<'o>>,
    ) -> Result<(), TooMuch> {
        let Some(undone) = Undone::all(text) else {
            return Ok(());
        };
        for mut find in self.places(redactor, path, &undone.plain, effort.below())? {
            let plain = undone.plain.get(find.place.clone());
            find.say(plain.unwrap_or_default());
            find.place = undone.range(&find.place);
            found.push(find);
        }
        Ok(())
    }

    /// Decodes long runs of base64 or hex; one in which something is found goes whole, by the first find.
    fn base64<'o>(
        &'o self,
        redactor: &Redactor,
        path: Option<&str>,
        text: &[u8],
        effort: Effort,
        found: &mut Vec<Found<'o>>,
    ) -> Result<(), TooMuch> {
        for run in decoded::runs(text) {
            for (place, plain) in decoded::texts(text, &run) {
                let inner = self.places(redactor, path, &plain, effort.below())?;
                let Some(mut first) = inner.into_iter().next() else {
                    continue;
                };
                first.say(plain.get(first.place.clone()).unwrap_or_default());
                first.place = place;
                found.push(first);
                break;
            }
        }
        Ok(())
    }
}

/// Of finds that overlap one is left, over all their bytes: the first, of those the longest; but one that drops the
/// field before others.
pub(super) fn settle(mut found: Vec<Found<'_>>) -> Vec<Found<'_>> {
    found.sort_by_key(|find| (find.place.start, usize::MAX - find.place.end));
    let mut settled: Vec<Found<'_>> = Vec::with_capacity(found.len());
    for mut find in found {
        match settled.last_mut() {
            Some(last) if find.place.start < last.place.end => {
                let place = last.place.start..last.place.end.max(find.place.end);
                if matches!(find.how, How::Drop) {
                    std::mem::swap(last, &mut find);
                }
                last.place = place;
            }
            _ => settled.push(find),
        }
    }
    settled
}

/// A find in a text that may hold tags of ours: what of it is outside of these.
pub(super) fn outside<'o>(
    found: Vec<Found<'o>>,
    tags: &[Range<usize>],
    text: &[u8],
) -> Vec<Found<'o>> {
    let mut left = Vec::with_capacity(found.len());
    for find in found {
        match spans::pieces(&find.place, tags, text) {
            None => left.push(find),
            Some(pieces) => left.extend(pieces.map(|place| Found {
                place,
                id: find.id,
                how: find.how,
                said: None,
            })),
        }
    }
    left
}
