"""What a browser or a program is shown of the API: pages and descriptions."""
