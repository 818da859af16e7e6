"""Decodes compressed pictures as people see them: upright, in sRGB. The proxy uses it, too."""
