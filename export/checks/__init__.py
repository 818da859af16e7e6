"""Checks of the export that need no GPU: `make check-tensorrt`."""
