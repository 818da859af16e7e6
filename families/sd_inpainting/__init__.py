"""Stable Diffusion inpainting: version 1.5 and version 2, and what was trained from them."""
