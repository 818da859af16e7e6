"""Films: a clip and a rendered layer in, the dressed clip out. Films are decoded in worker processes only."""
