"""What keeps this machine from serving."""


class CannotServe(Exception):
    """The reason and what to do, in one sentence for whoever typed the command."""
