"""The picture's computation, called by Triton's models. It uses NumPy, OpenCV and torch, and never Triton."""
