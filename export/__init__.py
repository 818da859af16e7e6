"""Checkpoint to ONNX to engines: what `make export` runs."""
