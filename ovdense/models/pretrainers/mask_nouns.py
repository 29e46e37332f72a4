"""A CLIP adapted to masked crops by pairs of a mask and a noun. OVSeg (arXiv 2210.04150), sections 3.2 and 3.3.

Shapes: B crops of s x s pixels, C channels of the text space.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModel
from torch import Tensor, nn

from ovdense.models.losses.mask_nouns import pair_contrast
from ovdense.models.vocabulary_files import load_templates
from ovdense.registry import MODELS
from ovdense.structures import Vocabulary


@MODELS.register_module()
class MaskNounContrast(BaseModel):
    """The image tower learns to find the noun of each masked crop of a batch, and the crop of each noun.

    The text tower is locked: nouns are encoded once. A checkpoint becomes a CLIP file by
    ``tools/model_converters/export_mask_clip.py``.

    Args:
        backbone: config of the image tower, a ``CLIPViT``; ``frozen`` and ``with_global`` are set here.
        text_encoder: config of the text encoder of the same CLIP.
        prompts_only: only the mask prompts learn; the tower stays as it is. It needs a backbone with prompts.
        templates: prompt templates; a batch sees its nouns through one of them, drawn at random.
        max_scale: largest factor of the cosines.
        same_nouns: what a noun that occurs twice in a batch means: ``positive``, every crop of that noun is right, or
            ``negative``, only the crop that it came with, as in plain CLIP training and the official code.
        data_preprocessor: mmengine's; crops must come out normalised, masks are not touched.
    """

    def __init__(
        self,
        *,
        backbone: dict,
        text_encoder: dict,
        prompts_only: bool = False,
        templates: str | Sequence[str] = ("a photo of a {}.",),
        max_scale: float = 100.0,
        same_nouns: str = "positive",
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        if same_nouns not in ("positive", "negative"):
            raise ValueError(f"same_nouns is 'positive' or 'negative', got {same_nouns!r}")
        tower = MODELS.build({**backbone, "frozen": False, "with_global": True})
        default = dict(type="ImgDataPreprocessor")
        default |= dict(mean=[255 * v for v in tower.image_mean], std=[255 * v for v in tower.image_std])
        super().__init__(data_preprocessor=data_preprocessor or default, init_cfg=init_cfg)
        self.backbone, self.prompts_only = tower, prompts_only
        self.logit_scale = nn.Parameter(torch.tensor(math.log(tower.logit_scale)))
        self.max_scale, self.same_nouns = math.log(max_scale), same_nouns
        if prompts_only:
            if getattr(tower, "mask_embedding", None) is None:
                raise ValueError("prompts_only needs prompts to learn: set backbone.mask_prompt_depth, 3 in the paper")
            self.requires_grad_(False)
            tower.mask_embedding.requires_grad_(True)
        self.templates = load_templates(templates)
        self._encoders = [MODELS.build({**text_encoder, "templates": (template,)}) for template in self.templates]
        self._rows: list[dict[str, Tensor]] = [{} for _ in self.templates]

    def train(self, mode: bool = True) -> MaskNounContrast:
        """The tower stays in evaluation mode where only prompts learn."""
        super().train(mode)
        if self.prompts_only:
            self.backbone.eval()
        return self

    def forward(
        self,
        inputs: Tensor,
        data_samples=None,
        *,
        masks: Tensor | None = None,
        noun: Sequence[str] = (),
        mode: str = "tensor",
    ):
        """Losses in mode ``loss``; else the embeddings (B,C) of normalised crops (B,3,s,s) with masks (B,1,s,s)."""
        return self.loss(inputs, masks, noun) if mode == "loss" else self.embed(inputs, masks)

    def embed(self, crops: Tensor, masks: Tensor | None = None) -> Tensor:
        """(B,C), not normalised."""
        prompted = masks is not None and getattr(self.backbone, "takes_masks", False)
        return self.backbone(crops, **(dict(masks=masks) if prompted else {})).global_embedding

    def loss(self, crops: Tensor, masks: Tensor | None, nouns: Sequence[str]) -> dict[str, Tensor]:
        """``loss_pairs``, and the share of crops whose own noun is the nearest, ``acc_nouns``, in %."""
        if len(nouns) != len(crops):
            raise ValueError(f"every crop needs a noun, got {len(crops)} crops and {len(nouns)} nouns")
        rows = self.noun_rows(nouns).to(crops)
        logits = (
            self.logit_scale.clamp(max=self.max_scale).exp() * F.normalize(self.embed(crops, masks), dim=-1) @ rows.T
        )
        names = {noun: index for index, noun in enumerate(dict.fromkeys(nouns))}
        index = torch.tensor([names[noun] for noun in nouns], device=logits.device)
        same = index[:, None] == index[None]
        right = same.gather(1, logits.argmax(dim=1, keepdim=True)).float().mean() * 100
        truth = same if self.same_nouns == "positive" else torch.eye(len(logits), dtype=torch.bool, device=same.device)
        return dict(loss_pairs=pair_contrast(logits, truth), acc_nouns=right)

    @torch.no_grad()
    def noun_rows(self, nouns: Sequence[str]) -> Tensor:
        """Unit rows (B,C) of nouns through one template; each noun is encoded once."""
        choice = int(torch.randint(len(self.templates), ()))
        known = self._rows[choice]
        missing = [noun for noun in dict.fromkeys(nouns) if noun not in known]
        if missing:
            vocabulary = Vocabulary(tuple(missing), tuple((noun,) for noun in missing))
            known.update(zip(missing, self._encoders[choice].encode(vocabulary, progress=False).rows))
        return torch.stack([known[noun] for noun in nouns])
