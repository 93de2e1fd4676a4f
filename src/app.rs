//! Wiring: build in floor order, run, drain in reverse.
