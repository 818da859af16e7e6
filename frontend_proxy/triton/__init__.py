"""The client of Triton: sends jobs, receives pictures."""
