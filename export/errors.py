"""The error of everything that ends an export."""


class ExportError(Exception):
    """The message says in one sentence why the export cannot go on, and what to do."""
