"""How the network that finds the visible garment is trained.

`python -m training.visible_garment paint` paints scenes of the generator of lucy-tiny, `train` trains on them
and on path-traced photographs (training/photographs), whose number may grow meanwhile, and writes
`visible.onnx`. Every command continues what a stopped one began. benchmarks/picture/masks.py says how good
it is. What is shipped was trained in 130 seconds on an H200 (`--workers 12`), 2,155 steps of 192 parts of 844
photographs and 961 painted scenes, and knows no real photograph: see pipeline/garment/visibility.py.

scenes      scenes on disk
occluders   fingers and hair that painted scenes lack
composing   what a client might send of a scene, and what the network should answer
network     the network, and its ONNX file
training    the training
"""
