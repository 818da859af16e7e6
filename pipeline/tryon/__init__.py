"""One request: its options, its job, and the order of the stages."""
