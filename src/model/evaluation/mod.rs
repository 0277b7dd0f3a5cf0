//! How candidates are judged: splits, ranking, metrics.
