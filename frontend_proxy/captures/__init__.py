"""Captures: accepted, made, kept for a time, and told of."""
