//! The original system's environment variables.
