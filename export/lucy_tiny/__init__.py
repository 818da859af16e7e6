"""lucy-tiny: the default checkpoint, trained from scratch on painted scenes.

people, jackets, fabrics, backgrounds, photography → scenes     the training data
shards                                                          cached on disk
autoencoder, unet_training                                      the two trainings
sampling, transfer, metrics, evaluation                         what the result is worth
architecture                                                    the checkpoint folder itself
"""
