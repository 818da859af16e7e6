"""The model's light on the garment, and the result back in the camera frame."""
