"""The fabric scan's benchmark. BLAS has one thread, as where the proxy scans (worker_process.py)."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy is imported
