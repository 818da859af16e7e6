"""The networks of the CPU profile, which run in Triton's Python backend."""
