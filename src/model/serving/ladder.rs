//! The lists for those of whom nothing is known: trending, popular, newest.
