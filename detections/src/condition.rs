//! The condition language of a detection: `sel and not 1 of filter*`.

/// A condition over things of type `T`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Expr<T> {
    /// The thing itself.
    Is(T),
    /// Not.
    Not(Box<Expr<T>>),
    /// All of them; true where there is none.
    And(Vec<Expr<T>>),
    /// One of them; false where there is none.
    Or(Vec<Expr<T>>),
    /// So many of them.
    AtLeast(usize, Vec<Expr<T>>),
}

impl<T> Expr<T> {
    /// The condition with each thing replaced.
    pub(crate) fn map<U>(&self, f: &mut impl FnMut(&T) -> Expr<U>) -> Expr<U> {
        let mut all = |items: &[Expr<T>]| items.iter().map(|e| e.map(f)).collect::<Vec<_>>();
        match self {
            Self::Is(thing) => f(thing),
            Self::Not(inner) => Expr::Not(Box::new(inner.map(f))),
            Self::And(items) => Expr::And(all(items)),
            Self::Or(items) => Expr::Or(all(items)),
            Self::AtLeast(n, items) => Expr::AtLeast(*n, all(items)),
        }
    }

    /// How many things it names.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Is(_) => 1,
            Self::Not(inner) => inner.size(),
            Self::And(items) | Self::Or(items) | Self::AtLeast(_, items) => {
                items.iter().map(Self::size).sum::<usize>() + 1
            }
        }
    }

    /// The truth of it, asking for as few things as needed.
    pub(crate) fn eval(&self, is: &mut impl FnMut(&T) -> bool) -> bool {
        match self {
            Self::Is(thing) => is(thing),
            Self::Not(inner) => !inner.eval(is),
            Self::And(items) => items.iter().all(|e| e.eval(is)),
            Self::Or(items) => items.iter().any(|e| e.eval(is)),
            Self::AtLeast(n, items) => {
                let mut missing = *n;
                for item in items {
                    if missing == 0 {
                        break;
                    }
                    missing -= usize::from(item.eval(is));
                }
                missing == 0
            }
        }
    }
}

/// Length of a condition at most.
const LENGTH_MAX: usize = 8_192;
/// Nesting of parentheses and `not` at most.
const DEPTH_MAX: usize = 32;

/// Reads a condition; `names` are the search identifiers, and the result holds positions in it.
pub(crate) fn parse(text: &str, names: &[&str]) -> Result<Expr<usize>, String> {
    if text.len() > LENGTH_MAX {
        return Err(format!("condition is longer than {LENGTH_MAX} bytes"));
    }
    if text.contains('|') {
        return Err(
            "`|` in a condition is the old aggregation syntax, which Sigma 2 has removed: write a \
             correlation rule (`correlation: {type: event_count, rules: […], group-by: […], \
             timespan: …, condition: {gte: …}}`) instead"
                .into(),
        );
    }
    let tokens = tokens(text)?;
    let mut reader = Reader {
        tokens: &tokens,
        names,
    };
    let expr = reader.or(0)?;
    match reader.tokens.first() {
        None => Ok(expr),
        Some(token) => Err(format!("`{token}` is not expected here")),
    }
}

fn tokens(text: &str) -> Result<Vec<&str>, String> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '(' | ')' => 1,
            c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            c => return Err(format!("character `{c}` is not allowed in a condition")),
        };
        let (token, tail) = rest.split_at_checked(end).unwrap_or((rest, ""));
        found.push(token);
        rest = tail.trim_start();
    }
    if found.is_empty() {
        return Err("condition is empty".into());
    }
    Ok(found)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '*')
}

struct Reader<'t> {
    tokens: &'t [&'t str],
    names: &'t [&'t str],
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Option<&'t str> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    fn eat(&mut self, word: &str) -> bool {
        let fits = self
            .tokens
            .first()
            .is_some_and(|t| t.eq_ignore_ascii_case(word));
        if fits {
            self.next();
        }
        fits
    }

    fn or(&mut self, depth: usize) -> Result<Expr<usize>, String> {
        let mut items = vec![self.and(depth)?];
        while self.eat("or") {
            items.push(self.and(depth)?);
        }
        Ok(one_or(items, Expr::Or))
    }

    fn and(&mut self, depth: usize) -> Result<Expr<usize>, String> {
        let mut items = vec![self.not(depth)?];
        while self.eat("and") {
            items.push(self.not(depth)?);
        }
        Ok(one_or(items, Expr::And))
    }

    fn not(&mut self, depth: usize) -> Result<Expr<usize>, String> {
        if depth > DEPTH_MAX {
            return Err(format!("condition is nested deeper than {DEPTH_MAX}"));
        }
        if self.eat("not") {
            return Ok(Expr::Not(Box::new(self.not(depth + 1)?)));
        }
        if self.eat("(") {
            let inner = self.or(depth + 1)?;
            if !self.eat(")") {
                return Err("`)` is missing".into());
            }
            return Ok(inner);
        }
        self.leaf()
    }

    fn leaf(&mut self) -> Result<Expr<usize>, String> {
        let word = self.next().ok_or("condition ends too early")?;
        if self
            .tokens
            .first()
            .is_some_and(|t| t.eq_ignore_ascii_case("of"))
        {
            self.next();
            return self.x_of(word);
        }
        match self.names.iter().position(|name| *name == word) {
            Some(index) => Ok(Expr::Is(index)),
            None if word == ")" => Err("`)` without `(`".into()),
            None => Err(format!("`{word}` is not a search identifier of this rule")),
        }
    }

    fn x_of(&mut self, quantity: &str) -> Result<Expr<usize>, String> {
        let pattern = self.next().ok_or("`of` ends the condition")?;
        let them = pattern.eq_ignore_ascii_case("them");
        let chosen: Vec<Expr<usize>> = (0..)
            .zip(self.names)
            .filter(|(_, name)| {
                if them {
                    !name.starts_with('_')
                } else {
                    fits(pattern, name)
                }
            })
            .map(|(index, _)| Expr::Is(index))
            .collect();
        if chosen.is_empty() {
            return Err(format!("no search identifier fits `{pattern}`"));
        }
        match quantity.to_ascii_lowercase().as_str() {
            "all" => Ok(Expr::And(chosen)),
            "1" | "any" => Ok(Expr::Or(chosen)),
            other => match other.parse::<usize>() {
                Ok(n) if n > 0 => Ok(Expr::AtLeast(n, chosen)),
                _ => Err(format!(
                    "`{quantity} of`: expected a number, `all` or `any`"
                )),
            },
        }
    }
}

fn one_or(mut items: Vec<Expr<usize>>, make: fn(Vec<Expr<usize>>) -> Expr<usize>) -> Expr<usize> {
    match items.pop() {
        Some(last) if items.is_empty() => last,
        Some(last) => {
            items.push(last);
            make(items)
        }
        None => make(items),
    }
}

/// Identifier patterns know `*` alone.
fn fits(pattern: &str, name: &str) -> bool {
    use crate::pattern::{Atom, Glob};
    let parts = pattern.split('*').map(|part| Glob::literal(part).0);
    Glob(parts.collect::<Vec<_>>().join(&Atom::Any)).matches(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 5] = ["sel_a", "sel_b", "filter_x", "_hidden", "keywords"];

    fn check(text: &str, truths: [bool; 5], expected: bool) {
        let expr = parse(text, &NAMES).unwrap();
        assert_eq!(expr.eval(&mut |i| truths[*i]), expected, "{text}");
    }

    #[test]
    fn operators_bind_as_specified() {
        let t = [true, false, true, true, false];
        check("sel_a", t, true);
        check("not sel_a", t, false);
        check("sel_b or sel_a and sel_b", t, false);
        check("sel_a or sel_b and sel_b", t, true);
        check("(sel_a or sel_b) and sel_b", t, false);
        check("not sel_b and sel_a", t, true);
        check("not (sel_b and sel_a)", t, true);
        check("NOT not sel_a AND sel_a", t, true);
        check("1 of sel*", t, true);
        check("all of sel_*", t, false);
        check("all of *_*", t, false);
        check("any of keywords", t, false);
        check("2 of them", t, true);
        check("3 of them", t, false);
        check("all of them", [true, true, true, false, true], true);
        check("1 of them", [false, false, false, true, false], false);
        check("1 of _hid*", [false, false, false, true, false], true);
        check("sel_a and not 1 of filter*", t, false);
    }

    #[test]
    fn faults_are_named() {
        for (text, part) in [
            ("sel_a | count() by x > 5", "correlation"),
            ("nope", "not a search identifier"),
            ("1 of nope*", "no search identifier"),
            ("(sel_a", "missing"),
            ("sel_a)", "not expected"),
            ("sel_a and", "too early"),
            ("", "empty"),
            ("0 of them", "expected a number"),
            ("sel_a; sel_b", "not allowed"),
        ] {
            let error = parse(text, &NAMES).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(parse(&"(".repeat(5_000), &NAMES).is_err());
        assert!(parse(&"not ".repeat(2_000), &NAMES).is_err());
    }
}
