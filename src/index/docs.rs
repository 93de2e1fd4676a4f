//! Sets of documents of one slice, and what is known about a query for each.

/// Positions in a slice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Docs {
    /// None of them.
    #[default]
    None,
    /// Every one of the slice.
    All,
    /// Those whose bit is set; none behind the slice's end.
    Some(Vec<u64>),
}

impl Docs {
    /// From bits; the simple forms where they fit.
    pub(super) fn from_bits(bits: Vec<u64>) -> Self {
        if bits.iter().all(|word| *word == 0) {
            return Self::None;
        }
        Self::Some(bits)
    }

    /// No bit, for `len` documents.
    pub(super) fn zeros(len: u32) -> Vec<u64> {
        vec![0; words(len)]
    }

    pub(super) fn is_none(&self) -> bool {
        *self == Self::None
    }

    pub(super) fn and(self, other: &Self) -> Self {
        match (self, other) {
            (Self::None, _) | (_, Self::None) => Self::None,
            (this, Self::All) => this,
            (Self::All, other) => other.clone(),
            (Self::Some(mut bits), Self::Some(others)) => {
                bits.iter_mut().zip(others).for_each(|(a, b)| *a &= b);
                Self::from_bits(bits)
            }
        }
    }

    pub(super) fn or(self, other: &Self) -> Self {
        match (self, other) {
            (Self::All, _) | (_, Self::All) => Self::All,
            (this, Self::None) => this,
            (Self::None, other) => other.clone(),
            (Self::Some(mut bits), Self::Some(others)) => {
                bits.iter_mut().zip(others).for_each(|(a, b)| *a |= b);
                Self::Some(bits)
            }
        }
    }

    /// Without those of `other`.
    pub(super) fn minus(self, other: &Self, len: u32) -> Self {
        match (self, other) {
            (Self::None, _) | (_, Self::All) => Self::None,
            (this, Self::None) => this,
            (Self::All, other) => other.not(len),
            (Self::Some(mut bits), Self::Some(others)) => {
                bits.iter_mut().zip(others).for_each(|(a, b)| *a &= !b);
                Self::from_bits(bits)
            }
        }
    }

    pub(super) fn not(&self, len: u32) -> Self {
        match self {
            Self::None => Self::All,
            Self::All => Self::None,
            Self::Some(bits) => {
                let mut bits: Vec<u64> = bits.iter().map(|word| !word).collect();
                if let Some(last) = bits.last_mut()
                    && !len.is_multiple_of(64)
                {
                    *last &= (1 << (len % 64)) - 1;
                }
                Self::from_bits(bits)
            }
        }
    }

    pub(super) fn count(&self, len: u32) -> u32 {
        match self {
            Self::None => 0,
            Self::All => len,
            Self::Some(bits) => bits.iter().map(|word| word.count_ones()).sum(),
        }
    }

    pub(super) fn contains(&self, position: u32) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Some(bits) => usize::try_from(position / 64)
                .ok()
                .and_then(|at| bits.get(at))
                .is_some_and(|word| word >> (position % 64) & 1 == 1),
        }
    }

    /// The positions in order.
    pub(super) fn each(&self, len: u32, mut found: impl FnMut(u32)) {
        match self {
            Self::None => {}
            Self::All => (0..len).for_each(found),
            Self::Some(bits) => {
                for (start, word) in (0u32..).step_by(64).zip(bits) {
                    let mut rest = *word;
                    while rest != 0 {
                        found(start + rest.trailing_zeros());
                        rest &= rest - 1;
                    }
                }
            }
        }
    }
}

/// Words of bits for `len` documents.
fn words(len: u32) -> usize {
    usize::try_from(len.div_ceil(64)).unwrap_or(usize::MAX)
}

/// Sets a bit; one behind the end is ignored.
pub(super) fn set(bits: &mut [u64], position: u32) {
    if let Some(word) = usize::try_from(position / 64)
        .ok()
        .and_then(|at| bits.get_mut(at))
    {
        *word |= 1 << (position % 64);
    }
}

/// What the index knows: `yes` match, `open` may match and must be read; the rest does not. The two are disjoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) yes: Docs,
    pub(super) open: Docs,
}

impl Verdict {
    pub(super) fn sure(yes: Docs) -> Self {
        Self {
            yes,
            open: Docs::None,
        }
    }

    pub(super) fn is_none(&self) -> bool {
        self.yes.is_none() && self.open.is_none()
    }

    pub(super) fn and(self, other: &Self, len: u32) -> Self {
        if self.open.is_none() && other.open.is_none() {
            return Self::sure(self.yes.and(&other.yes));
        }
        let may = self
            .yes
            .clone()
            .or(&self.open)
            .and(&other.yes.clone().or(&other.open));
        let yes = self.yes.and(&other.yes);
        let open = may.minus(&yes, len);
        Self { yes, open }
    }

    pub(super) fn or(self, other: &Self, len: u32) -> Self {
        let yes = self.yes.or(&other.yes);
        let open = self.open.or(&other.open).minus(&yes, len);
        Self { yes, open }
    }

    pub(super) fn not(self, len: u32) -> Self {
        let yes = self.yes.or(&self.open).not(len);
        Self {
            yes,
            open: self.open,
        }
    }

    /// Nothing is certain any more.
    pub(super) fn unsure(self) -> Self {
        Self {
            yes: Docs::None,
            open: self.yes.or(&self.open),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LEN: u32 = 100;

    fn docs(set: &[bool]) -> Docs {
        let mut bits = Docs::zeros(LEN);
        for (position, is_in) in (0u32..).zip(set) {
            if *is_in {
                super::set(&mut bits, position);
            }
        }
        Docs::from_bits(bits)
    }

    /// Per document: no, yes, open.
    fn verdict(states: &[u8]) -> Verdict {
        Verdict {
            yes: docs(&states.iter().map(|state| *state == 1).collect::<Vec<_>>()),
            open: docs(&states.iter().map(|state| *state == 2).collect::<Vec<_>>()),
        }
    }

    fn states(verdict: &Verdict) -> Vec<u8> {
        (0..LEN)
            .map(|at| u8::from(verdict.yes.contains(at)) + 2 * u8::from(verdict.open.contains(at)))
            .collect()
    }

    proptest! {
        #[test]
        fn logic_is_that_of_three_values(
            a in prop::collection::vec(0u8..3, 100),
            b in prop::collection::vec(0u8..3, 100),
        ) {
            let and = |a: u8, b: u8| match (a, b) { (0, _) | (_, 0) => 0, (1, 1) => 1, _ => 2 };
            let or = |a: u8, b: u8| match (a, b) { (1, _) | (_, 1) => 1, (0, 0) => 0, _ => 2 };
            let not = |a: u8| match a { 0 => 1, 1 => 0, _ => 2 };
            let (va, vb) = (verdict(&a), verdict(&b));
            let zip = |f: &dyn Fn(u8, u8) -> u8| a.iter().zip(&b).map(|(a, b)| f(*a, *b)).collect::<Vec<_>>();
            prop_assert_eq!(states(&va.clone().and(&vb, LEN)), zip(&and));
            prop_assert_eq!(states(&va.clone().or(&vb, LEN)), zip(&or));
            prop_assert_eq!(states(&va.clone().not(LEN)), a.iter().map(|a| not(*a)).collect::<Vec<_>>());
            let mut each = vec![];
            va.yes.each(LEN, |at| each.push(at));
            prop_assert_eq!(each.len(), usize::try_from(va.yes.count(LEN)).unwrap());
        }
    }
}
