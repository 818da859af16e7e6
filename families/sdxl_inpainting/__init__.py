"""Stable Diffusion XL for inpainting (Podell et al., 2023): two text encoders, a UNet that knows sizes."""
