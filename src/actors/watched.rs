//! Files and objects that are imported again when they change: the first part of a run's snapshot.
