"""Recorded answers, which show whether a change has changed any picture.

    python -m tests.recorded_answers    records them again: only if pictures are meant to change

An answer's bytes depend on the processor's arithmetic. They are compared on the kind of processor on which
they were recorded; on others the garment's region is compared in decibels.
"""

import asyncio
import hashlib
import json
import tempfile
from pathlib import Path

import cv2

from tests.stack import running_stack
from tests.tryon_client import Tryon, keyframe

FOLDER = Path(__file__).parent / "data" / "recorded_answers"
SCENES = ("transparent_no_pose", "transparent_off_body", "opaque_over_video")
MODES = ("keyframe", "capture")
SIDE = 480  # pixels of the stored garment's longer side


def processor():
    """The properties that decide how floating-point sums are rounded: vendor, family, model and features."""
    wanted = ("vendor_id", "cpu family", "model", "flags")
    lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    values = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    vendor, family, model, flags = (values.get(name, "") for name in wanted)
    digest = hashlib.sha256(flags.encode()).hexdigest()[:12]
    return f"{vendor}, family {family}, model {model}, features {digest}"


async def dress(tryon, scene, mode):
    """The answer's bytes, and its garment's region as a small picture."""
    answer = await tryon.dress(
        keyframe(scene), mode, outputs=("image", "report", "crop"), seed=18, output_format="png"
    )
    x, y, width, height = answer["crop"]
    picture = cv2.imdecode(answer["image"], cv2.IMREAD_COLOR)
    garment = picture[max(0, y) : y + height, max(0, x) : x + width]
    scale = SIDE / max(garment.shape[:2])
    small = cv2.resize(garment, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return answer["image"].tobytes(), small


async def _record(address):
    FOLDER.mkdir(parents=True, exist_ok=True)
    digests = {}
    async with Tryon.connect(address) as tryon:
        for scene in SCENES:
            for mode in MODES:
                image, garment = await dress(tryon, scene, mode)
                digests[f"{scene}-{mode}"] = hashlib.sha256(image).hexdigest()
                cv2.imwrite(str(FOLDER / f"{scene}-{mode}.png"), garment, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    document = {"processor": processor(), "sha256": digests}
    (FOLDER / "answers.json").write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    with (
        tempfile.TemporaryDirectory() as folder,
        running_stack(Path(folder), CPU_RUNTIME="onnxruntime") as stack,
    ):
        stack.wait_until(lambda health: health["ai_model_loaded"])
        asyncio.run(_record(stack.triton_grpc))
