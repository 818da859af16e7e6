"""FASHN VTON 1.5: a transformer that paints pixels by flow matching, without mask, text or VAE."""
