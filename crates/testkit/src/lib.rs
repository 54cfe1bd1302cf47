//! Closeness, gradient checks and tiny data sets in every on-disk format; for tests only
