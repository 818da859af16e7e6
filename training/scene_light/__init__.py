"""Trains the light reader (pipeline/light/light_reader.py), which tells a scene's light.

samples               one scene as the small planes that training needs; shards keeps them on disk
augmentation          other exposures, fabrics, sizes and masks of the same scene
learning, training    the loss, and the loop, which goes on where it was stopped
level_fit             the level's linear part in closed form
refitting             the level's layers on new scenes, in minutes
validation            decibels on scenes that training never has; calibration makes the confidence of them
weights               the trained network in the checkpoint's folder
"""
