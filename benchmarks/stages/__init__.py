"""Each network's time beside the least that this processor could take for it."""
