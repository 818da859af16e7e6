"""What is served, as `/health` shows it and the export has recorded it."""

from pydantic import BaseModel


class ServedModel(BaseModel):
    """What is served, by the names that `make export` was given.

    checkpoint: a hub id, or the name of a folder without its path.
    loras: each as `name:weight`.
    """

    checkpoint: str
    profile: str
    precision: str
    loras: list[str] = []
