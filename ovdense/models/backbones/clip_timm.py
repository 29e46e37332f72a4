"""CLIPTimm: open_clip models whose image tower is a timm transformer (EVA, SigLIP, SigLIP2, PE-Core, MobileCLIP-B).

What ties a patch token to the text space depends on the head: a token head (EVA) is applied to every token, as in a
native ViT; an average head (ViTamin) likewise. Attention-pool heads (SigLIP, PE-Core) read no single token, so each
token goes through the pool by itself: value, projection, MLP (exact for an image of one token).

Shapes: B images, T = P + h * w tokens, D channels, C channels of the text space.
"""

from __future__ import annotations

from torch import Tensor, nn

from ovdense.models.backbones.base import to_map
from ovdense.models.backbones.blocks import TimmBlock
from ovdense.models.backbones.open_clip_loader import Pretrained, load_clip
from ovdense.models.backbones.token_trunks import allow_any_size, embed_tokens, is_token_trunk, rotary_embedding
from ovdense.models.backbones.transformer import LastBlock, TransformerBackbone
from ovdense.registry import MODELS


@MODELS.register_module()
class CLIPTimm(TransformerBackbone):
    """(B, 3, H, W) -> DenseFeatures of a timm transformer inside an open_clip model.

    Args:
        model: open_clip name or config dict.
        pretrained: tag, local file, state dict or None.
        attention: last-block variant; None = ``value`` for token heads (MaskCLIP), ``vanilla`` for pooling heads,
            whose dense path begins after the last block.
        position: how the position table is resized; ``gem`` is timm's own way.
        **kwargs: see ``TransformerBackbone``.
    """

    captures = (*TransformerBackbone.captures, "pooled_k")

    def __init__(
        self,
        *,
        model: str | dict,
        pretrained: Pretrained = None,
        attention: str | None = None,
        position: str = "gem",
        **kwargs,
    ) -> None:
        loaded = load_clip(model, pretrained)
        visual = loaded.visual
        trunk = getattr(visual, "trunk", None)
        check_supported(trunk, visual, loaded.name)
        pools = trunk.attn_pool is not None or trunk.global_pool != "token"
        super().__init__(attention=attention or ("vanilla" if pools else "value"), position=position, **kwargs)
        self.name, self.space, self.embed_dim = loaded.name, loaded.space, loaded.embed_dim
        self.image_mean, self.image_std = loaded.image_mean, loaded.image_std
        self.logit_scale = min(loaded.logit_scale, 100.0)
        self.stride = trunk.patch_embed.feat_ratio()
        self.prefix, self.reads_class_token = trunk.num_prefix_tokens, not pools
        allow_any_size(trunk)
        self.visual = visual
        self._finish_init()
        if self.prefix == 0 and {"cls", "input_cls", "dense_cls", "vanilla_cls"}.intersection(self.capture):
            raise ValueError(f"{self.name} has no class token, got capture={self.capture}")

    def blocks(self) -> nn.Sequential:
        return self.visual.trunk.blocks

    def parts(self, block: nn.Module) -> TimmBlock:
        return TimmBlock(block)

    def embed(self, images: Tensor) -> tuple[Tensor, tuple[int, int], Tensor | None]:
        return embed_tokens(self.visual.trunk, images, self.position)

    def rope(self, grid: tuple[int, int]) -> Tensor | None:
        return rotary_embedding(self.visual.trunk, grid)

    def final_norm(self, tokens: Tensor) -> Tensor:
        return self.visual.trunk.norm(tokens)

    def to_text_space(self, tokens: Tensor) -> Tensor:
        trunk, tokens = self.visual.trunk, self.final_norm(tokens)
        if trunk.attn_pool is not None:
            tokens = pool_single_tokens(trunk.attn_pool, tokens)
        return self.visual.head(trunk.head(trunk.fc_norm(tokens)))

    def global_rows(self) -> slice:
        return slice(0, 1) if self.reads_class_token else slice(None)

    def pool(self, tokens: Tensor) -> Tensor:
        trunk = self.visual.trunk
        return self.visual.head(trunk.forward_head(trunk.norm(tokens)))

    def _field(self, name: str, last: LastBlock) -> Tensor:
        if name != "pooled_k":
            return super()._field(name, last)
        pool = self.visual.trunk.attn_pool
        if pool is None:
            raise ValueError(f"{self.name} has no attention-pool head, got capture='pooled_k'")
        keys = pool.kv(self.final_norm(last.stream[:, self.prefix :])).chunk(2, dim=-1)[0]
        return to_map(keys, last.tokens.grid)


def pool_single_tokens(pool: nn.Module, tokens: Tensor) -> Tensor:
    """What timm's ``AttentionPoolLatent`` gives for each token by itself, (B, N, D) -> (B, N, D').

    With one token the attention weight is 1 whatever the latent query: y = proj(v), then y + mlp(norm(y)).
    """
    value = pool.kv(tokens).chunk(2, dim=-1)[1]
    y = pool.proj(value)
    return y if pool.mlp is None else y + pool.mlp(pool.norm(y))


def check_supported(trunk: nn.Module | None, visual: nn.Module, name: str) -> None:
    """ValueError, with the reason, for towers that this class cannot run densely."""
    if trunk is None:
        raise ValueError(f"{name} is no timm model of open_clip; let CLIPBackbone pick the class")
    if not is_token_trunk(trunk):
        raise ValueError(
            f"{name}: CLIPTimm runs timm's VisionTransformer and Eva, got {type(trunk).__name__}; "
            "trunks that end in a feature map belong to CLIPConvNeXt"
        )
    if hasattr(visual.head, "pool"):
        raise ValueError(f"{name}: 2-D attention pooling on top of a timm trunk has a fixed image size")
    pool = trunk.attn_pool
    if pool is not None and (type(pool).__name__ != "AttentionPoolLatent" or pool.pos_embed is not None):
        raise ValueError(f"{name}: no dense route through a {type(pool).__name__} head with its own position table")
