"""How checkpoints of our own are made."""
