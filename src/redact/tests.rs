use std::sync::{Arc, OnceLock};

use super::*;

/// One redactor for all tests of the folder: building it takes a while without optimization.
pub(super) fn redactor() -> Arc<Redactor> {
    static SHARED: OnceLock<Arc<Redactor>> = OnceLock::new();
    let make = || {
        Arc::new(Redactor::new(
            Options::default(),
            TagKey::from_bytes(&[7; 32]),
        ))
    };
    Arc::clone(SHARED.get_or_init(make))
}
