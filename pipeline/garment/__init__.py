"""Where the garment is: pictures and a pose to a mask, a composite and a crop."""
