use std::sync::Arc;

use crate::{RuleSet, shipped};

#[test]
fn every_file_of_the_folder_is_shipped() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let mut on_disk = Vec::new();
    for area in std::fs::read_dir(&root).unwrap().map(|e| e.unwrap()) {
        for file in std::fs::read_dir(area.path()).unwrap().map(|e| e.unwrap()) {
            let name = format!(
                "{}/{}",
                area.file_name().to_string_lossy(),
                file.file_name().to_string_lossy()
            );
            on_disk.push(name);
        }
    }
    on_disk.sort();
    let listed: Vec<String> = shipped().iter().map(|f| f.path.to_string()).collect();
    assert_eq!(listed, on_disk);
}

#[test]
fn shipped_rules_load_and_their_tests_pass() {
    let (set, errors) = RuleSet::load(&shipped());
    assert_eq!(errors, []);
    let set = Arc::new(set);
    for rule in set.rules() {
        assert!(rule.active, "{}", rule.title);
        assert!(rule.id.len() == 36, "{} has a UUID", rule.title);
        assert!(!rule.alerts || rule.tests >= 4, "{} has tests", rule.title);
        assert!(!rule.alerts || !rule.falsepositives.is_empty() && !rule.tags.is_empty());
    }
    let reports = set.run_tests();
    assert!(reports.len() > 30);
    for report in reports {
        assert_eq!(
            report.failure,
            None,
            "{}: {}",
            set.rules()[report.rule].title,
            report.test
        );
    }
}
