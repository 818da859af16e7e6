"""The denoising steps that the old way has always taken."""

STEPS = {"keyframe": 4, "capture": 25}
