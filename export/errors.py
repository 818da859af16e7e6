"""What can go wrong with an export, said in one sentence to whoever typed the command."""


class ExportError(Exception):
    """The export cannot go on. The message says why and what to do."""
