//! What a configuration that reads well still gets wrong: what stands in no single part's options.

use crate::api;
use crate::config::Config;

/// What is wrong with a configuration that reads well: directories, addresses, patterns.
#[must_use]
pub fn problems(config: &Config) -> Vec<String> {
    let mut problems = Vec::new();
    if config.server.tls.is_none() && !config.server.listen.ip().to_canonical().is_loopback() {
        problems.push(api::serve::Error::PlainHttp(config.server.listen).to_string());
    }
    if let Some(tls) = &config.server.tls
        && let Err(error) = api::tls::Fresh::read(tls)
    {
        problems.push(error.to_string());
    }
    let existing = config.data_dir.ancestors().find(|dir| dir.exists());
    if existing.is_some_and(|dir| !dir.is_dir()) {
        problems.push(format!(
            "data_dir {} is not a directory",
            config.data_dir.display()
        ));
    }
    let level = &config.log_level;
    if level
        .parse::<tracing::level_filters::LevelFilter>()
        .is_err()
    {
        problems.push("log_level: expected off, error, warn, info, debug or trace".to_owned());
    }
    if let Some(dir) = &config.detect.rules_dir
        && !dir.is_dir()
    {
        problems.push(format!(
            "detect: rules_dir {} is not a directory",
            dir.display()
        ));
    }
    // A line the door has cut at a smaller bound would look whole to the parser.
    if !config.files.follow.is_empty()
        && config.files.line_bytes_max < config.pipeline.record_bytes_max
    {
        let bound = "files: line_bytes_max must not be below pipeline.record_bytes_max";
        problems.push(bound.to_owned());
    }
    let databases = [
        &config.pipeline.enrich.country_db,
        &config.pipeline.enrich.city_db,
        &config.pipeline.enrich.asn_db,
    ];
    for path in databases.into_iter().flatten() {
        if !path.is_file() {
            problems.push(format!("enrich: {} is not a file", path.display()));
        }
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
                [problem] => !expected.is_empty() && problem.contains(expected),
                _ => false,
            };
            assert!(fits, "{text}: {found:?}");
        };
        check("", "");
        check("log_level = \"loud\"", "log_level");
        check("[detect]\nrules_dir = \"/no/such\"", "rules_dir");
        check("[server]\nlisten = \"0.0.0.0:1\"", "tls.cert");
        check("[pipeline]\nrecord_bytes_max = 2097152", "");
        check(
            "[pipeline]\nrecord_bytes_max = 2097152\n[[files.follow]]\npath = \"/var/log/x\"",
            "line_bytes_max",
        );
    }
}
