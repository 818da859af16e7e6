"""What each test of a real size looks at."""

import numpy as np

from tests.families.served import serving
from tests.tryon_client import Tryon


async def assert_both_modes_answer(checkpoint, folder, unet, job):
    """Export the checkpoint, serve it, and dress `job` in both modes. Returns the pixels of both."""
    pixels = []
    with serving(checkpoint, folder, within=900) as (manifest, stack):
        print(manifest["stages"][unet]["parity"], manifest["memory"]["rows"])
        async with Tryon.connect(stack.triton_grpc) as tryon:
            for mode in ("keyframe", "capture"):
                answer = await tryon.dress(job, mode, outputs=("image", "report", "pixels"))
                print(answer["report"])
                assert answer["report"]["mode"] == "ai_enhanced"
                pixels.append(np.array(answer["pixels"]))
    return pixels
