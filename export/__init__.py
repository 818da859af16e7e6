"""The export, which `make export` runs: from a checkpoint to ONNX and TensorRT engines."""
