"""LoRA files of one module each, in every dialect."""

import torch

QUERY = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"
CONV = "up_blocks.0.upsamplers.0.conv"
# What kohya's trainer calls them: by the names of the UNet's authors.
KOHYA = {
    QUERY: "lora_unet_input_blocks_3_1_transformer_blocks_0_attn1_to_q",
    CONV: "lora_unet_output_blocks_1_2_conv",
    "add_embedding.linear_1": "lora_unet_label_emb_0_0",
}
TEXT = {
    f"lora_te{number}_text_model_encoder_layers_0_mlp_fc1.lora_{end}.weight": torch.zeros(2, 2)
    for number in (1, 2)
    for end in ("down", "up")
}


def matrices(shape, rank=2):
    generator = torch.Generator().manual_seed(1)
    down = torch.randn(rank, *shape[1:], generator=generator)
    return down, torch.randn(shape[0], rank, *(1 for _ in shape[2:]), generator=generator)


def pair(dialect, name, down, up):
    if dialect == "kohya":
        stem = KOHYA[name]
        return {f"{stem}.lora_down.weight": down, f"{stem}.lora_up.weight": up} | TEXT
    stem = {"diffusers": "unet.", "peft": "base_model.model.", "both": "unet.base_model.model."}[
        dialect
    ] + name
    more = {"text_encoder_2.text_model.encoder.layers.0.mlp.fc1.lora_A.weight": torch.zeros(2, 2)}
    return {f"{stem}.lora_A.weight": down, f"{stem}.lora_B.weight": up} | more
