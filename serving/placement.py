"""Networks inside `tryon`'s process: the names for it in the repository's configurations."""

# The `--model-config-name` under which the networks run inside `tryon`, the parameter of `tryon` that says
# so, and the tensor that is a picture: uint8 between `tryon` and `postprocess` then.
IN_PROCESS = "in_process"
PLACEMENT = "networks"
PICTURE = "pixels"
