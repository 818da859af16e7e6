"""The networks of the CPU profile, which run inside Triton's Python backend."""
