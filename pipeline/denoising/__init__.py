"""Denoises the latents of many requests together."""
