"""Fabrics over HTTP: the catalog, scans and textures."""
