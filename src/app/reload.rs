//! Takes a changed configuration over while running: all of it that can change, or nothing.

use super::{App, problems};
use crate::config::{Config, Problem};
use crate::redact::Own;

/// The settings that take effect on a reload. All others need a restart.
const LIVE: &[&str] = &[
    "detect.rules_dir",
    "detect.shipped_rules",
    "detect.require_tests",
    "detect.rule_files_max",
    "detect.rule_file_bytes_max",
    "server.tls.cert",
    "server.tls.key",
    "redact.dry_run",
    "redact.personal.email",
    "redact.personal.phone",
    "redact.personal.ip",
];

/// Lists that take effect as a whole.
const LIVE_LISTS: &[&str] = &["redact.rules", "redact.allow"];

impl App {
    /// Takes over rules, what is redacted, and certificates as the configuration names them now, and reads the address databases
    /// again. Everything is read and checked first: where one part is refused, all keep what they had. Says
    /// by name which other settings have changed and wait for a restart.
    pub async fn reload(&self, config: &Config) {
        match self.take_over(config).await {
            Ok(()) => {
                self.metrics.config_reloads.inc();
                tracing::info!("configuration reloaded");
                let waiting = waiting(&self.config, config);
                if !waiting.is_empty() {
                    let settings = waiting.join(", ");
                    tracing::warn!(settings, "these settings have changed and need a restart");
                }
            }
            Err(refused) => self.refuse(&refused),
        }
    }

    /// Tells that a configuration could not be read; the old one stays.
    pub fn reload_refused(&self, problems: &[Problem]) {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        self.refuse(&problems);
    }

    fn refuse(&self, problems: &[String]) {
        self.metrics.config_reload_failures.inc();
        for problem in problems {
            tracing::error!(problem, "reload refused, the old configuration stays");
        }
    }

    async fn take_over(&self, config: &Config) -> Result<(), Vec<String>> {
        let mut refused: Vec<String> = problems(config).iter().map(Problem::to_string).collect();
        let (rules, options) = (self.rules.clone(), config.detect.clone());
        let prepared = self.tasks.blocking(move || rules.prepare(&options)).await;
        let rules = match prepared {
            Some(Ok(rules)) => Some(rules),
            Some(Err(error)) => {
                refused.push(error.to_string());
                None
            }
            None => return Err(vec!["the server is stopping".to_owned()]),
        };
        let certificate = match self.server.prepare(config.server.tls.as_ref()) {
            Ok(certificate) => certificate,
            Err(error) => {
                refused.push(error.to_string());
                None
            }
        };
        // What is wrong with it is among the problems already.
        let own = Own::new(&config.redact).ok();
        let (Some(rules), Some(own), true) = (rules, own, refused.is_empty()) else {
            return Err(refused);
        };
        // Checks what it reads and swaps by itself, so it comes last of those that can fail.
        let enricher = self.enricher.clone();
        if let Some(Err(error)) = self.tasks.blocking(move || enricher.reload()).await {
            return Err(vec![error.to_string()]);
        }
        self.rules.take_over(rules);
        self.redactor.take_over(own);
        self.server.swap(certificate);
        Ok(())
    }
}

/// Names of the settings that differ and are not taken over.
fn waiting(old: &Config, new: &Config) -> Vec<String> {
    let mut names = old.differences(new);
    let is_listed = |name: &str| {
        let mut lists = LIVE_LISTS.iter();
        lists.any(|list| {
            name == *list
                || name
                    .strip_prefix(list)
                    .is_some_and(|rest| rest.starts_with('.'))
        })
    };
    names.retain(|name| !LIVE.contains(&name.as_str()) && !is_listed(name));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_a_restart_is_told_by_name() {
        let check = |text: &str, expected: &[&str]| {
            let new: Config = toml::from_str(text).unwrap();
            assert_eq!(waiting(&Config::default(), &new), expected, "{text}");
        };
        check("", &[]);
        check(
            "[detect]\nrules_dir = \"rules\"\nrequire_tests = false",
            &[],
        );
        check(
            "data_dir = \"x\"\n[wal]\nzstd_level = 9\n[pipeline.enrich]\nasn_db = \"a.mmdb\"",
            &["data_dir", "pipeline.enrich.asn_db", "wal.zstd_level"],
        );
        check(
            "[[redact.rules]]\nid = \"a\"\nregex = \"b\"\n[redact.allow]\ntags = [\"x\"]\n[redact.personal]\nip = \"mask\"",
            &[],
        );
        // From plain HTTP to TLS.
        check("[server.tls]\ncert = \"c\"\nkey = \"k\"", &["server.tls"]);
        let tls = |key: &str| {
            let text = format!("[server.tls]\ncert = \"c\"\nkey = \"{key}\"");
            toml::from_str::<Config>(&text).unwrap()
        };
        assert_eq!(waiting(&tls("k"), &tls("l")), [""; 0]);
    }

    #[test]
    fn every_live_setting_exists() {
        let text = "[detect]\nrules_dir = \"r\"\n[server.tls]\ncert = \"c\"\nkey = \"k\"";
        let config: Config = toml::from_str(text).unwrap();
        let names = config.settings();
        for name in LIVE {
            assert!(names.contains_key(*name), "{name}");
        }
    }
}
