"""The error of everything that keeps this machine from serving."""


class CannotServe(Exception):
    """The message says in one sentence why this machine cannot serve, and what to do."""
