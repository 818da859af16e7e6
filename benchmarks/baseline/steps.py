"""The denoising steps that the previous backend has always taken."""

STEPS = {"keyframe": 4, "capture": 25}
