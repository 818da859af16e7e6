"""Captures: accepted, made, stored until they expire, and reported by webhooks."""
