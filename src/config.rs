//! The sum of every part's Options; file < environment < flag.
