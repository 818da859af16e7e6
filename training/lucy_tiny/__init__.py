"""lucy-tiny: the default checkpoint, trained from scratch on painted scenes.

anatomy, looks, people, heads              the person in front of the camera
cuts, tailoring, fabrics, folds, jackets   the jacket; jackets.render_jacket draws the flat render
gbuffer, backgrounds, photography          light and camera; scenes combines everything
shards                                     scenes on disk
autoencoder, unet_training, training       the training
sampling, relighting, metrics, evaluation  evaluation
architecture, captions                     the checkpoint folder itself
"""
