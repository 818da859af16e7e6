"""The catalog of fabrics: its entries, their textures, reading and writing it."""
