"""The state that the keyframes of one connection share."""

import secrets
from dataclasses import dataclass, field

from frontend_proxy.job_factory import random_seed
from frontend_proxy.keyframes.similar_frames import SimilarFrameCache


@dataclass
class ConnectionState:
    """
    caller: whose connection it is. `Admission` is fair between callers.
    name: secret, so that nobody else can use the state that the model keeps under it.
    seed: the same for all keyframes, so that the garment does not flicker.
    """

    caller: str = ""
    name: str = field(default_factory=secrets.token_urlsafe)
    seed: int = field(default_factory=random_seed)
    cache: SimilarFrameCache = field(default_factory=SimilarFrameCache)
