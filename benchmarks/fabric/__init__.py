"""The fabric scan's benchmark, with as many threads as where the proxy scans."""

from frontend_proxy.worker_process import one_thread

one_thread()  # before NumPy is imported
