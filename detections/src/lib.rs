//! Sigma rules to findings: pure, on event time.
