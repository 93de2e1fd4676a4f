//! `wardline redact`: a pipe filter. Needs no server; holds one line at a time.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Exit, output};
use crate::config::{Config, Problem};
use crate::redact::{Filter, FilterStats, KeyError, Options, Own, Redactor, TagKey};

/// Bytes read at once, and written at once.
const BUFFER_BYTES: usize = 64 << 10;

/// Replaces the secrets in lines of text or JSON; everything else comes out byte for byte. Example: kubectl logs app |
/// wardline redact --stats
#[derive(Debug, Args)]
pub(super) struct Redact {
    /// File to read; - or none for standard input.
    file: Option<PathBuf>,
    /// Data directory whose tag key is used, so that tags are those of its server. Without it they are made with a
    /// random key of this run.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// File with own rules, classes of personal data and exceptions: the [redact] part of a configuration. See
    /// docs/redaction.md
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Tell on standard error what was replaced, by rule.
    #[arg(long)]
    stats: bool,
    /// A longer line is replaced whole.
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20,
          value_parser = clap::value_parser!(u32).range(256..=64 << 20))]
    line_bytes_max: u32,
}

pub(super) fn run(redact: &Redact) -> anyhow::Result<Exit> {
    let (mut options, own) = match rules(redact.rules.as_deref()) {
        Ok(rules) => rules,
        Err(problems) => {
            for problem in problems {
                output::tell(&format!("error: {problem}"));
            }
            return Ok(Exit::Invalid);
        }
    };
    let key = match key(redact.data_dir.as_deref()) {
        Ok(key) => key,
        Err(why) => {
            output::tell(&format!("error: {why}"));
            return Ok(Exit::Invalid);
        }
    };
    if redact.data_dir.is_none() {
        output::tell(&format!(
            "note: tags are made with a random key of this run ({}); --data-dir DIR makes those of an installation",
            key.id()
        ));
    }
    let line_bytes_max = usize::try_from(redact.line_bytes_max)?;
    options.value_bytes_max = options.value_bytes_max.max(line_bytes_max);
    let redactor = Redactor::new(options, key);
    redactor.take_over(own);
    let mut filter = Filter::new(&redactor);
    let out = BufWriter::with_capacity(BUFFER_BYTES, std::io::stdout().lock());
    match redact
        .file
        .as_deref()
        .filter(|path| path.as_os_str() != "-")
    {
        None => pump(std::io::stdin().lock(), out, &mut filter, line_bytes_max)?,
        Some(path) => {
            let name = path.display().to_string();
            let file = File::open(path).map_err(|error| unreadable(&name, &error))?;
            let file = Named { file, name };
            pump(file, out, &mut filter, line_bytes_max)?;
        }
    }
    if redact.stats {
        output::tell(told(filter.stats()).trim_end());
    }
    Ok(Exit::Ok)
}

/// Settings of redaction from a file, checked.
fn rules(file: Option<&Path>) -> Result<(Options, Own), Vec<Problem>> {
    let config = Config::load(file, std::iter::empty())?;
    let own = Own::new(&config.redact).map_err(|wrong| {
        let wrong = wrong.into_iter();
        let located = wrong.map(|wrong| Problem::of(&wrong.setting, wrong.what).located(file));
        located.collect::<Vec<_>>()
    })?;
    Ok((config.redact, own))
}

/// The key of the installation, or one that is used once. Never makes one in a directory: with it, a server that
/// starts there later would tag as nobody else does.
fn key(data: Option<&Path>) -> Result<TagKey, String> {
    let Some(data) = data else {
        return TagKey::random().map_err(|error| error.to_string());
    };
    let path = data.join("tag.key");
    TagKey::open(&path).map_err(|error| match error {
        KeyError::Io(error) if error.kind() == std::io::ErrorKind::NotFound => format!(
            "{} is not there: the first start of a server makes it",
            path.display()
        ),
        error => format!("{}: {error}", path.display()),
    })
}

/// A file whose errors say which it is; those of the output stay as they are, so that a closed pipe is known.
struct Named {
    file: File,
    name: String,
}

impl Read for Named {
    fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(room);
        read.map_err(|error| unreadable(&self.name, &error))
    }
}

fn unreadable(name: &str, error: &std::io::Error) -> std::io::Error {
    std::io::Error::new(error.kind(), format!("cannot read {name}: {error}"))
}

/// Every line through the filter, each with the end it came with.
fn pump(
    input: impl Read,
    mut out: impl Write,
    filter: &mut Filter<'_>,
    line_bytes_max: usize,
) -> std::io::Result<()> {
    let mut input = BufReader::with_capacity(BUFFER_BYTES, input);
    let mut line = Line::default();
    loop {
        if input.buffer().is_empty() {
            // Whoever reads on gets what is done before we wait for more.
            out.flush()?;
        }
        let chunk = match input.fill_buf() {
            Ok([]) => break,
            Ok(chunk) => chunk,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let (piece, used, is_ended) = match memchr::memchr(b'\n', chunk) {
            Some(at) => (chunk.get(..at).unwrap_or_default(), at + 1, true),
            None => (chunk, chunk.len(), false),
        };
        line.take(piece, filter, line_bytes_max);
        input.consume(used);
        if is_ended {
            line.end(b"\n", filter, &mut out)?;
        }
    }
    if !line.is_empty() {
        line.end(b"", filter, &mut out)?;
    }
    out.flush()
}

/// The line being read.
#[derive(Default)]
struct Line {
    bytes: Vec<u8>,
    is_too_long: bool,
    clean: Vec<u8>,
}

impl Line {
    fn is_empty(&self) -> bool {
        self.bytes.is_empty() && !self.is_too_long
    }

    fn take(&mut self, piece: &[u8], filter: &mut Filter<'_>, bytes_max: usize) {
        // What is kept of a line that is too long was handed over already.
        let new = if self.is_too_long {
            self.bytes.len()
        } else {
            0
        };
        self.bytes.extend_from_slice(piece);
        // One more for the `\r` of its end.
        if self.is_too_long || self.bytes.len() > bytes_max + 1 {
            self.is_too_long = true;
            filter.skip(self.bytes.get(new..).unwrap_or_default());
            // Its last byte says how it ends.
            let kept = self.bytes.len().saturating_sub(1);
            self.bytes.drain(..kept);
        }
    }

    fn end(
        &mut self,
        end: &[u8],
        filter: &mut Filter<'_>,
        out: &mut impl Write,
    ) -> std::io::Result<()> {
        let (body, carriage) = match self.bytes.split_last() {
            Some((b'\r', body)) => (body, &b"\r"[..]),
            _ => (self.bytes.as_slice(), &b""[..]),
        };
        self.clean.clear();
        if self.is_too_long {
            filter.skipped(&mut self.clean);
        } else {
            filter.line(body, &mut self.clean);
        }
        out.write_all(&self.clean)?;
        out.write_all(carriage)?;
        out.write_all(end)?;
        self.bytes.clear();
        self.is_too_long = false;
        Ok(())
    }
}

fn told(stats: &FilterStats) -> String {
    let FilterStats {
        lines,
        changed,
        too_long,
        secrets,
        ..
    } = stats;
    let mut text =
        format!("{lines} lines, {changed} changed, {too_long} too long; {secrets} secrets\n");
    let mut list = |rules: &BTreeMap<String, u64>| {
        let mut rules: Vec<(&String, &u64)> = rules.iter().collect();
        rules.sort_by(|a, b| (b.1, a.0).cmp(&(a.1, b.0)));
        for (rule, count) in rules {
            text.push_str(&format!("{count:>10}  {rule}\n"));
        }
    };
    list(&stats.rules);
    if !stats.tried.is_empty() {
        list(&BTreeMap::from([(
            "found in the dry run and left:".to_owned(),
            stats.tried.values().sum(),
        )]));
        list(&stats.tried);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its bytes a few at a time.
    struct Slow<'t>(&'t [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
            let count = room.len().min(self.1).min(self.0.len());
            let (now, later) = self.0.split_at(count);
            room[..count].copy_from_slice(now);
            self.0 = later;
            Ok(count)
        }
    }

    fn filtered(redactor: &Redactor, input: &[u8], step: usize, bound: usize) -> (Vec<u8>, u64) {
        let mut filter = Filter::new(redactor);
        let mut out = Vec::new();
        pump(Slow(input, step), &mut out, &mut filter, bound).unwrap();
        (out, filter.stats().too_long)
    }

    #[test]
    fn what_is_no_secret_comes_out_byte_for_byte() {
        let redactor = Redactor::new(Options::default(), TagKey::from_bytes(&[7; 32]));
        for input in [
            &b""[..],
            b"\n",
            b"\r\n",
            b"\r",
            b"\n\n\r\n\n",
            b"no end",
            b"one\r\ntwo\nthree\r\r\n\rfour\r",
            b"nul \0 and \xff\xfe \xc3 broken\n\x1b[31mred\x1b[0m\n",
            b"{ \"a\" : 1.0e5 , \"a\":[ ] }\r\n",
        ] {
            for step in [1, 3, 1 << 20] {
                let (out, too_long) = filtered(&redactor, input, step, 1 << 10);
                assert_eq!(out, input);
                assert_eq!(too_long, 0);
            }
        }
        let (out, _) = filtered(&redactor, b"\xff password=hunter22\r\nend", 2, 1 << 10);
        assert!(out.starts_with(b"\xff password=[R:password:"));
        assert!(out.ends_with(b"]\r\nend"));
    }

    #[test]
    fn a_line_beyond_the_bound_goes_whole_and_its_end_stays() {
        let redactor = Redactor::new(Options::default(), TagKey::from_bytes(&[7; 32]));
        let check = |length: usize, end: &str, expected: u64| {
            let line = "a ".repeat(length / 2);
            let input = format!("{line}{end}next{end}");
            for step in [1, 100, 1 << 20] {
                let (out, too_long) = filtered(&redactor, input.as_bytes(), step, 300);
                let out = String::from_utf8(out).unwrap();
                assert_eq!(too_long, expected, "{length} by {step}");
                let first = out.strip_suffix(&format!("{end}next{end}")).unwrap();
                assert_eq!(first == line, expected == 0);
                assert!(
                    expected == 0 || first.starts_with("[R:oversize:"),
                    "{first}"
                );
            }
        };
        check(300, "\n", 0);
        check(300, "\r\n", 0);
        check(302, "\n", 1);
        check(302, "\r\n", 1);
        check(100_000, "\r\n", 1);
    }

    #[test]
    fn counts_are_told_by_rule() {
        let mut stats = FilterStats {
            lines: 3,
            changed: 2,
            too_long: 0,
            secrets: 4,
            ..FilterStats::default()
        };
        stats.rules.insert("jwt".to_owned(), 1);
        stats.rules.insert("card".to_owned(), 3);
        assert_eq!(
            told(&stats),
            "3 lines, 2 changed, 0 too long; 4 secrets\n         3  card\n         1  jwt\n"
        );
    }
}
