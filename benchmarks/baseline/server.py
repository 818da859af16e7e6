"""The backend that Lucy Serve replaces, reimplemented from its description, for comparison.

    python -m benchmarks.baseline.server --port 5100

One process: FastAPI, one global diffusers pipeline, one inference at a time in the order of arrival. It
has the same messages, checkpoint and resolution, so that the same client measures both. Its keyframes take
the steps that it has always taken; Lucy Serve's take the checkpoint's own.
"""

import argparse
import asyncio
import base64
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import torch
import uvicorn
from diffusers import StableDiffusionInpaintPipeline
from fastapi import FastAPI, UploadFile, WebSocket, WebSocketDisconnect
from PIL import Image
from pydantic import BaseModel

from benchmarks.baseline.fabric import scan
from benchmarks.baseline.steps import STEPS

CHECKPOINT = Path(__file__).resolve().parents[2] / "export" / "checkpoints" / "lucy-tiny"
MARGIN = 0.12  # around the garment, as in our own crop: the same pixels for the model


class Model:
    """The checkpoint, and how it dresses a frame."""

    def __init__(self, checkpoint: Path):
        self._use = json.loads((checkpoint / "pipeline.json").read_text())
        self._pipeline = StableDiffusionInpaintPipeline.from_pretrained(
            checkpoint, dtype=torch.float32, local_files_only=True
        )
        self._pipeline.set_progress_bar_config(disable=True)

    @torch.inference_mode()
    def dress(
        self, camera_frame: bytes, jacket_render: bytes, mode: str, seed: int = 0, steps: int | None = None
    ) -> np.ndarray:
        """The dressed frame, BGR uint8. mode: of STEPS."""
        frame = cv2.imdecode(np.frombuffer(camera_frame, np.uint8), cv2.IMREAD_COLOR)
        render = cv2.imdecode(np.frombuffer(jacket_render, np.uint8), cv2.IMREAD_UNCHANGED)
        render = cv2.resize(render, frame.shape[1::-1], interpolation=cv2.INTER_AREA)
        alpha = render[..., 3:].astype(np.float32) / 255
        composite = np.rint(frame + alpha * (render[..., :3] - frame.astype(np.float32))).astype(np.uint8)
        window = _window(render[..., 3])
        height, width = self._use["resolution"]
        crop = cv2.resize(composite[window], (width, height), interpolation=cv2.INTER_AREA)
        mask = cv2.resize(render[window][..., 3], (width, height), interpolation=cv2.INTER_AREA)
        pixels = torch.from_numpy(crop[..., ::-1].copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
        recipe = self._use[mode]
        picture = self._pipeline(
            self._use["prompt"].replace("{fabric} ", ""),
            image=Image.fromarray(crop[..., ::-1]),
            mask_image=Image.fromarray((mask > 4).astype(np.uint8) * 255),
            masked_image_latents=pixels,
            height=height,
            width=width,
            num_inference_steps=round((steps or STEPS[mode]) / recipe["strength"]),
            strength=recipe["strength"],
            guidance_scale=recipe["guidance_scale"],
            generator=torch.Generator().manual_seed(seed),
        ).images[0]
        painted = cv2.resize(np.array(picture)[..., ::-1], composite[window].shape[1::-1])
        answer = frame.copy()
        answer[window] = np.rint(frame[window] + alpha[window] * (painted - frame[window].astype(np.float32)))
        return answer


def _window(coverage: np.ndarray) -> tuple[slice, slice]:
    """The square around the garment, cropped to the frame."""
    x, y, width, height = cv2.boundingRect(coverage)
    side = round(max(width, height) * (1 + MARGIN))
    left, top = max(0, x + width // 2 - side // 2), max(0, y + height // 2 - side // 2)
    return slice(top, top + side), slice(left, left + side)


class Capture(BaseModel):
    user_image: str
    jacket_render: str
    seed: int = 0


def make_app(checkpoint: Path) -> FastAPI:
    app = FastAPI()
    model = Model(checkpoint)
    one_at_a_time = ThreadPoolExecutor(1)

    async def dress(frame: str, render: str, mode: str, suffix: str, **options: int | None) -> str:
        def work() -> str:
            answer = model.dress(_decode(frame), _decode(render), mode, **options)
            data = cv2.imencode(suffix, answer)[1].tobytes()
            media_type = {".jpg": "image/jpeg", ".png": "image/png"}[suffix]
            return f"data:{media_type};base64,{base64.b64encode(data).decode()}"

        return await asyncio.get_running_loop().run_in_executor(one_at_a_time, work)

    @app.get("/health")
    def health() -> dict[str, object]:
        return {"status": "healthy", "ai_model_loaded": True}

    @app.post("/virtual-tryon")
    async def capture(body: Capture) -> dict[str, object]:
        image = await dress(body.user_image, body.jacket_render, "capture", ".png", seed=body.seed)
        return {"success": True, "result_image": image}

    @app.post("/api/fabric/scan")
    def fabric(fabric_image: UploadFile) -> dict[str, str]:
        return scan(fabric_image.file.read())

    @app.websocket("/ws")
    async def keyframes(socket: WebSocket) -> None:
        await socket.accept()
        try:
            while True:
                message = json.loads(await socket.receive_text())
                pictures = message["camera_frame"], message["jacket_render"]
                image = await dress(*pictures, "keyframe", ".jpg", steps=message.get("steps"))
                await socket.send_json(
                    {
                        "type": "keyframe_result",
                        "image": image,
                        "mode": "ai_enhanced",
                        "timestamp": message["timestamp"],
                    }
                )
        except WebSocketDisconnect:
            pass

    return app


def _decode(uri: str) -> bytes:
    return base64.b64decode(uri.partition(",")[2])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=int, default=5100, help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="default: %(default)s")
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT, help="default: %(default)s")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    uvicorn.run(make_app(args.checkpoint), port=args.port, log_level="warning", ws_max_size=64 << 20)


if __name__ == "__main__":
    main()
