//! The service as callers see it: what every answer has, who is let in, what is refused and how.

mod access;
mod answers;
mod around;
mod heads;
mod page;
mod problems;
mod server;
