"""Documents whose clusters are known, because they were made so: for tests and benchmarks of deduplication."""
