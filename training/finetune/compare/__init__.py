"""Compares a tuned checkpoint with its base through the real server, and refuses to publish what is worse.

server       a checkpoint with or without the LoRA, exported and served in a folder of its own
answers      a row's capture and keyframe as a client gets them
measured     decibels of the answers, and the sheet
verdict      what is gained, and whether the tuned one may be published
"""
