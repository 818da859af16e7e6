"""A picture in progress, with the interface that the stepper needs."""

import torch

from pipeline.denoising.previews import Previews
from pipeline.denoising.sampling import Denoising, Made
from pipeline.tryon.models import Client


class DenoisingJob:
    """
    live: whether it is a keyframe. patient: whether it belongs to a batch.
    previews: for a capture whose client wants them.
    """

    def __init__(
        self,
        denoising: Denoising,
        live: bool,
        client: Client,
        previews: Previews | None,
        patient: bool = False,
    ):
        self.denoising = denoising
        self.live = live
        self.patient = patient
        self._client = client
        self._previews = previews

    @property
    def rows(self) -> int:
        return self.denoising.rows

    @property
    def done(self) -> bool:
        return self.denoising.done

    def cancelled(self) -> bool:
        return self._client.cancelled()

    def advance(self, model_output: torch.Tensor | Made) -> None:
        """Take one step. A capture reports it to its client, with a preview if one is ready."""
        self.denoising.advance(model_output)
        if self.live:
            return
        step, steps = self.denoising.step, self.denoising.steps
        preview = None
        if self._previews:
            preview = self._previews.take()
            self._previews.begin(step, steps, self.denoising.predicted)
        self._client.progress(step, steps, preview)
