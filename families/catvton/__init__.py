"""CatVTON (Chong et al., 2024): the garment lies below the person in one picture, and no text is read."""
