"""Authentication, origins, rate limits."""
