"""Checks of an export that need no GPU."""
