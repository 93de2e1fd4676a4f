//! Makes alerts heard: due deliveries to their channels.
