"""The pictures against path-traced truth: scenes in folders, which nobody who trains may have seen."""
