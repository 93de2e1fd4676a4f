//! The real router over temporary stores.
