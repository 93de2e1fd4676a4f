//! What is searchable: derived from the log, may be deleted.
