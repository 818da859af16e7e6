"""Teaches the text encoder, before the UNet's training, how a garment's light changes its mean colour.

Trained through the UNet alone, captions have no effect for hours: their embeddings are noise at first, and
the UNet learns to ignore them. Here the text encoder and the UNet's text embedding learn, together with a
small head that is discarded later, to predict the difference between the photograph's garment and the
render's.
"""

import torch
from diffusers.models.embeddings import TextTimeEmbedding
from torch import Tensor, nn

_LEARNING_RATE = 1e-3


def mean_inside(latents: Tensor, mask: Tensor) -> Tensor:
    """(B, C, h, w) and (B, 1, h, w) → (B, C): the mean where the mask is 1; 0 if it is 1 nowhere."""
    return (latents * mask).sum(dim=(2, 3)) / mask.sum(dim=(2, 3)).clamp(min=1)


def learn_captions(
    text_encoder: nn.Module,
    text_embedding: TextTimeEmbedding,
    input_ids: Tensor,
    target: Tensor,
    composite: Tensor,
    mask: Tensor,
    generator: torch.Generator,
    steps: int = 900,
    batch: int = 64,
) -> float:
    """Train both modules in place. Returns the final loss, relative to that of a constant prediction.

    input_ids: (N, 77). target, composite: latents (N, 4, h, w). mask: (N, 1, h, w).
    """
    inside, target, composite = mask.float(), target.float(), composite.float()
    worn = mean_inside(composite, inside)
    change = mean_inside(target, inside) - worn
    seen = torch.cat([worn, mean_inside(composite, 1 - inside)], dim=1)
    head = nn.Sequential(
        nn.SiLU(),
        nn.Linear(text_embedding.proj.out_features + seen.shape[1], 128),
        nn.SiLU(),
        nn.Linear(128, change.shape[1]),
    ).to(target.device)
    learning = [*text_encoder.parameters(), *text_embedding.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(learning, lr=_LEARNING_RATE)
    last = []
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = _LEARNING_RATE * min(1.0, (step + 1) / 50) * (1 - step / steps)
        rows = torch.randint(len(target), (batch,), device=target.device, generator=generator)
        vector = text_embedding(text_encoder(input_ids[rows])[0])
        error = head(torch.cat([vector, seen[rows]], dim=1)) - change[rows]
        loss = (error**2).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(learning, 1.0)
        optimizer.step()
        if step >= steps - 50:
            last.append(loss.item())
    return sum(last) / max(len(last), 1) / float((change**2).mean())
