"""What all answers of the server have in common."""

import base64

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """Fields that a newer server adds are kept, too."""

    model_config = ConfigDict(extra="allow")


def picture_of(data_uri: str) -> bytes:
    """The bytes of a picture that an answer holds as text."""
    return base64.b64decode(data_uri.partition(",")[2])
