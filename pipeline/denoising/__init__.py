"""From noised latents to clean ones, for many jobs at once."""
