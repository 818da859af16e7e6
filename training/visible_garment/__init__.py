"""How the network that finds the visible garment is trained.

`python -m training.visible_garment paint` paints scenes of the generator of lucy-tiny, `train` trains on them
and on path-traced photographs, and writes `visible.onnx`. Every command continues what a stopped one began.
"""
