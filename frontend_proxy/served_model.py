"""What is served, as `/health` shows it and the export has recorded it."""

from pydantic import BaseModel


class Licence(BaseModel):
    """Of the weights. commercial: whether commerce is allowed; None: the checkpoint's own licence decides."""

    name: str
    commercial: bool | None
    note: str


class ServedModel(BaseModel):
    """What is served, by the names that `make export` was given.

    checkpoint: a hub id, or the name of a folder without its path.
    loras: each as `name:weight`.
    family: its title, such as "Stable Diffusion inpainting".
    licence: None if an older version has exported it.
    stand_ins: what takes the place of something that is missing, one sentence each.
    """

    checkpoint: str
    profile: str
    precision: str
    loras: list[str] = []
    family: str = "unknown"
    licence: Licence | None = None
    stand_ins: list[str] = []
