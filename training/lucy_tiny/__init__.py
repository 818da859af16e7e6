"""lucy-tiny: the default checkpoint, trained from scratch on painted scenes.

anatomy, looks, people, heads              who stands before the camera
cuts, tailoring, fabrics, folds, jackets   what they wear; jackets.render_jacket is the flat render
gbuffer, backgrounds, photography          light and camera; scenes puts all of it together
shards                                     scenes on disk
autoencoder, unet_training, training       from noise to a checkpoint
sampling, relighting, metrics, evaluation  what it is worth
architecture, captions                     the checkpoint folder itself
"""
