"""A photo of a fabric to tileable PBR maps, on the CPU."""
