//! What a configuration that reads well still gets wrong: what stands in no single part's options.

use super::keys;
use crate::api;
use crate::config::{Config, Problem};
use crate::files;
use crate::redact::Own;

/// What is wrong with a configuration that reads well: directories, addresses, keys that are gone.
#[must_use]
pub fn problems(config: &Config) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut wrong = |setting: &str, what: String| problems.push(Problem::of(setting, what));
    if config.server.tls.is_none() && !config.server.listen.ip().to_canonical().is_loopback() {
        let what = api::serve::Error::PlainHttp(config.server.listen).to_string();
        wrong("server.listen", what);
    }
    if let Some(tls) = &config.server.tls
        && let Err(error) = api::tls::Fresh::read(tls)
    {
        wrong("server.tls", error.to_string());
    }
    let existing = config.data_dir.ancestors().find(|dir| dir.exists());
    if existing.is_some_and(|dir| !dir.is_dir()) {
        let what = format!("{} is not a directory", config.data_dir.display());
        wrong("data_dir", what);
    }
    let enrich = &config.pipeline.enrich;
    for (setting, path) in [
        ("pipeline.enrich.country_db", &enrich.country_db),
        ("pipeline.enrich.city_db", &enrich.city_db),
        ("pipeline.enrich.asn_db", &enrich.asn_db),
    ] {
        if let Some(path) = path.as_ref().filter(|path| !path.is_file()) {
            wrong(setting, format!("{} is not a file", path.display()));
        }
    }
    if let Some(path) = &config.wal.encryption_key_file
        && let Err(error) = files::keys::read(path)
    {
        wrong("wal.encryption_key_file", error.to_string());
    }
    if let Err(found) = Own::new(&config.redact) {
        for found in found {
            wrong(&found.setting, found.what);
        }
    }
    for what in keys::lost(&config.data_dir) {
        wrong("data_dir", what);
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_together_is_told_before_the_start() {
        let check = |text: &str, expected: &str| {
            let found = problems(&toml::from_str(text).unwrap());
            let fits = match found.as_slice() {
                [] => expected.is_empty(),
                [problem] => !expected.is_empty() && problem.to_string().contains(expected),
                _ => false,
            };
            assert!(fits, "{text}: {found:?}");
        };
        check("", "");
        check("[server]\nlisten = \"0.0.0.0:1\"", "tls.cert");
        check("data_dir = \"/dev/null\"", "data_dir");
        check(
            "[wal]\nencryption_key_file = \"/nowhere\"",
            "encryption_key_file",
        );
    }
}
