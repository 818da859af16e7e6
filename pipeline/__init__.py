"""The picture's mathematics, which Triton's models call: NumPy, OpenCV and torch, never Triton."""
