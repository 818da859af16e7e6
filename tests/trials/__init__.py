"""What people do in their first hour, tried on a running server; `python -m tests.trials` prints a table."""
