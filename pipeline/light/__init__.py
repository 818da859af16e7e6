"""Applies the light of the model's picture to the garment, and puts the result back into the frame."""
