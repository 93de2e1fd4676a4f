//! State that is not events: alerts, deliveries, keys, checkpoints.
