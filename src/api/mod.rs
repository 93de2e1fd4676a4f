//! What programs and the UI may ask, route by route.
