"""The families of checkpoints: one folder each, and one line each in registry.py."""
