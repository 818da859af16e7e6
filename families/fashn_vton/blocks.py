"""The transformer blocks of the MMDiT, with the checkpoint's names.

    img, txt   tokens of the picture and of the garment    (B, N, D)
    vec        timestep and category                       (B, D)
    rope       cos and sin of the tokens' positions        (N, d/2) each

In half precision only the matrices are half: the tokens themselves, the norms and the turned q and k stay
float32. So sums over thirty blocks neither overflow nor lose small changes.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from families.fashn_vton.rope import rotate

EPSILON = 1e-6
Rope = tuple[Tensor, Tensor]


class RMSNorm(nn.Module):
    """x / sqrt(mean(x²) + ε) · scale, over the last axis, in float32."""

    def __init__(self, width: int):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        x = x.float()
        return x * torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + EPSILON) * self.scale.float()


class QKNorm(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.query_norm = RMSNorm(width)
        self.key_norm = RMSNorm(width)


class Modulation(nn.Module):
    """vec → `count` vectors (B, 1, D) in float32: shift, scale and gate, once or twice."""

    def __init__(self, width: int, count: int):
        super().__init__()
        self.lin = nn.Linear(width, count * width)
        self._count = count

    def forward(self, vec: Tensor) -> tuple[Tensor, ...]:
        return self.lin(functional.silu(vec))[:, None].float().chunk(self._count, dim=-1)


class StreamAttention(nn.Module):
    """One stream's part of a joint attention."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width)
        self.norm = QKNorm(width // heads)
        self.proj = nn.Linear(width, width)


def modulated(tokens: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """(1 + scale) · LN(tokens) + shift; the norm has no weights."""
    return (1 + scale) * functional.layer_norm(tokens, tokens.shape[-1:], eps=EPSILON) + shift


def normed_heads(qkv: Tensor, norm: QKNorm) -> tuple[Tensor, Tensor, Tensor]:
    """(B, N, 3D) → q, k (float32, normed) and v, (B, heads, N, d) each."""
    head = norm.query_norm.scale.shape[0]
    q, k, v = qkv.unflatten(-1, (3, -1, head)).permute(2, 0, 3, 1, 4).unbind(0)
    return norm.query_norm(q), norm.key_norm(k), v


def attention(q: Tensor, k: Tensor, v: Tensor, rope: Rope) -> Tensor:
    """(B, heads, N, d) → (B, N, D)."""
    q, k = (rotate(it, *rope).to(v.dtype) for it in (q, k))
    return functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


class SingleBlock(nn.Module):
    """Attention and MLP side by side, over one sequence of tokens."""

    def __init__(self, width: int, heads: int, mlp: int):
        super().__init__()
        self.linear1 = nn.Linear(width, 3 * width + mlp)
        self.linear2 = nn.Linear(width + mlp, width)
        self.norm = QKNorm(width // heads)
        self.modulation = Modulation(width, 3)
        self._split = [3 * width, mlp]

    def forward(self, x: Tensor, vec: Tensor, rope: Rope) -> Tensor:
        shift, scale, gate = self.modulation(vec)
        qkv, mlp = self.linear1(modulated(x, shift, scale).to(vec.dtype)).split(self._split, dim=-1)
        attended = attention(*normed_heads(qkv, self.norm), rope)
        change = self.linear2(torch.cat([attended, functional.gelu(mlp, approximate="tanh")], dim=-1))
        return x + gate * change.float()


class DoubleBlock(nn.Module):
    """Picture and garment with weights of their own, and one attention over both."""

    def __init__(self, width: int, heads: int, mlp: int):
        super().__init__()
        self.img_mod, self.txt_mod = Modulation(width, 6), Modulation(width, 6)
        self.img_attn, self.txt_attn = StreamAttention(width, heads), StreamAttention(width, heads)
        self.img_mlp, self.txt_mlp = _mlp(width, mlp), _mlp(width, mlp)

    def forward(self, img: Tensor, txt: Tensor, vec: Tensor, rope: Rope) -> tuple[Tensor, Tensor]:
        """rope: of the garment's tokens followed by the picture's."""
        garment, picture = self.txt_mod(vec), self.img_mod(vec)
        heads = [
            normed_heads(attn.qkv(modulated(tokens, shift, scale).to(vec.dtype)), attn.norm)
            for tokens, attn, (shift, scale, *_) in (
                (txt, self.txt_attn, garment),
                (img, self.img_attn, picture),
            )
        ]
        q, k, v = (torch.cat(both, dim=2) for both in zip(*heads, strict=True))
        attended = attention(q, k, v, rope)
        of_txt, of_img = attended.split([txt.shape[1], img.shape[1]], dim=1)
        img = _changed(img, of_img, self.img_attn, self.img_mlp, picture)
        return img, _changed(txt, of_txt, self.txt_attn, self.txt_mlp, garment)


def _mlp(width: int, inner: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, inner), nn.GELU(approximate="tanh"), nn.Linear(inner, width))


def _changed(
    tokens: Tensor, attended: Tensor, attn: StreamAttention, mlp: nn.Module, modulation: tuple[Tensor, ...]
) -> Tensor:
    """A stream after its part of the attention, and its MLP."""
    _, _, gate, mlp_shift, mlp_scale, mlp_gate = modulation
    tokens = tokens + gate * attn.proj(attended).float()
    change = mlp(modulated(tokens, mlp_shift, mlp_scale).to(attended.dtype))
    return tokens + mlp_gate * change.float()
