"""Serving on one machine: the supervisor of Triton and the proxy, the doctor, and networks inside Triton."""
