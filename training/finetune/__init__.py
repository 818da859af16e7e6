"""Fine-tunes a checkpoint on a shop's own pictures: a LoRA, which `make export LORAS=` fuses into it.

rows, checker          the dataset: one folder for each row, and what is wrong with it
augmentation, split    other photographs of the same truth; people who are only measured
examples               rows as the served networks see them
tunable, adapters      a checkpoint's networks with LoRAs
denoiser, light        the two parts that learn
loop, run              steps, moving average, early stop, resuming; a run from dataset to file
lora_file, card        what is written: the LoRA, and what it was made of
compare                base and tuned, side by side, through the real server
"""
