"""A whole picture: the stages in serving order."""

from diffusers import DDIMScheduler
from torch import Tensor

from benchmarks.gpu.engines import Run
from benchmarks.gpu.networks import Inputs

MODES = {"keyframe": {"steps": 4, "rows": 1}, "capture": {"steps": 25, "rows": 2}}  # 2: with guidance


def denoise(mode: str, runs: dict[str, Run], inputs: dict[str, Inputs], users: int) -> Tensor:
    """Make one picture per user: encode, denoise, decode. The server caches the text's embeddings."""
    steps, guided = MODES[mode]["steps"], MODES[mode]["rows"] == 2
    scheduler = DDIMScheduler(beta_schedule="scaled_linear", clip_sample=False, steps_offset=1)
    scheduler.set_timesteps(steps)
    encoded = runs["vae_encoder"]()  # (2 users, 4, H/8, W/8): the composites, then the conditioning pictures
    latents = encoded[:users].clone()
    sample, timestep = inputs["unet"]["sample"], inputs["unet"]["timestep"]
    sample[:, 5:] = encoded[users:].repeat(MODES[mode]["rows"], 1, 1, 1)
    for step in scheduler.timesteps:
        sample[:, :4] = latents.repeat(MODES[mode]["rows"], 1, 1, 1)
        timestep.fill_(float(step))
        prediction = runs["unet"]()
        if guided:
            negative, positive = prediction.chunk(2)
            prediction = negative + 5 * (positive - negative)
        latents = scheduler.step(prediction, step, latents).prev_sample
    inputs["vae_decoder"]["latents"].copy_(latents)
    return runs["vae_decoder"]()
