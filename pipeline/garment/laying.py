"""How a session's canvas was laid on the frame, for its next keyframe.

A pose decides how a transparent canvas lies: which fit, and which correction. Where a tracker loses the
person for a moment, the garment must not jump. So it is laid as it was the last time.
"""

import json
from dataclasses import dataclass

import numpy as np

from pipeline.garment.registration import Registration

Size = tuple[int, int]


@dataclass(frozen=True)
class Laying:
    """
    render_fit: what the client asked for.
    canvas, frame: (width, height) in pixels.
    """

    registration: Registration
    render_fit: str
    canvas: Size
    frame: Size

    def to_json(self) -> str:
        """JSON keeps the matrix's numbers exactly."""
        laid = {
            "fit": self.registration.fit,
            "matrix": self.registration.matrix.tolist(),
            "plane": self.registration.plane,
        }
        return json.dumps(laid | {"asked": self.render_fit, "canvas": self.canvas, "frame": self.frame})

    @classmethod
    def from_json(cls, text: str) -> "Laying | None":
        """None for an empty text."""
        if not text:
            return None
        values = json.loads(text)
        plane = values["plane"] and tuple(values["plane"])
        registration = Registration(values["fit"], np.array(values["matrix"]), plane)
        return cls(registration, values["asked"], tuple(values["canvas"]), tuple(values["frame"]))

    def still_valid(self, render_fit: str, canvas: Size, frame: Size) -> bool:
        """Whether a keyframe of these sizes may be laid in the same way."""
        return (self.render_fit, self.canvas, self.frame) == (render_fit, canvas, frame)
