"""Finds the garment: from pictures and a pose to a mask, a composite and a crop."""
