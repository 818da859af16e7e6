"""What a client did wrong, as a sentence for that client."""


class InvalidInput(ValueError):
    """An input is not as model_repository/README.md describes it."""


class NotAnImage(ValueError):
    """The bytes of a picture cannot be decoded."""
