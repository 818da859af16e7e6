"""Batches: many captures in one request, made while nobody waits for anything else."""
