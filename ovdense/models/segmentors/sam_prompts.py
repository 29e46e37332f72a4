"""SAMPrompts: label maps refined by Segment Anything (``pip install segment-anything``), as Trident does."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ovdense.models.backbones.checkpoint import read_state_dict
from ovdense.models.segmentors.prompt_refinement import PromptRules, refine_by_prompts

KINDS = ("vit_b", "vit_l", "vit_h")
PROMPTS_AT_ONCE = 32


class SAMPrompts:
    """Regions of the label map drawn anew by SAM, ``refine=dict(type="SAMPrompts", checkpoint=...)``.

    SAM is loaded when the first picture comes, beside the SAM encoder that a backbone may hold, and is no part of the
    model's checkpoints. All class probabilities of a picture are held at full size.

    Args:
        checkpoint: official weight file of SAM, such as ``sam_vit_b_01ec64.pth``.
        kind: ``vit_b``, ``vit_l`` or ``vit_h``.
        coarse_threshold, min_area, min_iou: see ``PromptRules``.
        mask_factor: of the class probability where it serves as SAM's mask prompt.
        official_quirks: the official code gives SAM the mask prompt without a batch dimension, so that its norms run
            over rows instead of channels, and lets masks of other regions into those whose own mask failed.

    Raises:
        ImportError: the package is not installed.
        FileNotFoundError: no such checkpoint.
    """

    refines_labels = True

    def __init__(
        self,
        *,
        checkpoint: str | Path,
        kind: str = "vit_b",
        coarse_threshold: float = 0.2,
        min_area: int = 225,
        min_iou: float = 0.9,
        mask_factor: float = 0.005,
        official_quirks: bool = False,
    ) -> None:
        if kind not in KINDS:
            raise ValueError(f"kind of SAM must be one of {KINDS}, got {kind!r}")
        require_package()
        if not Path(checkpoint).is_file():
            raise FileNotFoundError(
                f"no SAM checkpoint {str(checkpoint)!r}: download the {kind} weights of "
                "github.com/facebookresearch/segment-anything, or leave refine out"
            )
        self.checkpoint, self.kind = Path(checkpoint), kind
        self.rules = PromptRules(coarse_threshold, min_area, min_iou, keep_failed=not official_quirks)
        self.mask_factor, self.official_quirks = mask_factor, official_quirks
        self._predictor = None

    def refine_labels(self, labels: Tensor, probabilities: Tensor, picture: Tensor) -> Tensor:
        """Labels (H,W) by class probabilities (K,H,W) and the picture (H,W,3), uint8 RGB."""
        predictor = self.predictor(labels.device)
        predictor.set_image(picture.cpu().numpy())
        try:
            return refine_by_prompts(labels, probabilities.float(), self.ask, self.rules)
        finally:
            predictor.reset_image()

    def ask(self, class_map: Tensor, boxes: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """SAM's mask logits (R,H,W) and predicted IoU (R,) for the regions of one class, see ``Prompted``."""
        predictor = self._predictor
        size = predictor.original_size
        boxes = predictor.transform.apply_boxes_torch(boxes, size)
        points = predictor.transform.apply_coords_torch(points, size)[:, None]
        mask = self.mask_prompt(class_map)
        masks, iou = [], []
        for some_boxes, some_points in zip(boxes.split(PROMPTS_AT_ONCE), points.split(PROMPTS_AT_ONCE)):
            logits, quality, _ = predictor.predict_torch(
                point_coords=some_points,
                point_labels=some_points.new_ones(len(some_points), 1),
                boxes=some_boxes,
                mask_input=mask,
                multimask_output=False,
                return_logits=True,
            )
            masks.append(logits[:, 0])
            iou.append(quality[:, 0])
        return torch.cat(masks), torch.cat(iou)

    def mask_prompt(self, class_map: Tensor) -> Tensor:
        """The class map (h,w) in the top left of SAM's mask input (1,1,s,s), weak probabilities at 0."""
        predictor = self._predictor
        side = predictor.model.prompt_encoder.mask_input_size[0]
        height, width = predictor.transform.get_preprocess_shape(*predictor.original_size, side)
        maps = F.interpolate(class_map[None, None], size=(height, width), mode="bilinear", align_corners=False)
        maps = F.pad(maps, (0, side - width, 0, side - height))
        maps = torch.where(maps > self.rules.coarse_threshold, self.mask_factor * maps, 0.0)
        return maps[0] if self.official_quirks else maps

    def predictor(self, device: torch.device):
        """The package's ``SamPredictor``, on ``device``."""
        if self._predictor is None:
            from segment_anything import SamPredictor, sam_model_registry

            sam = sam_model_registry[self.kind](checkpoint=None)
            sam.load_state_dict(read_state_dict(self.checkpoint))
            self._predictor = SamPredictor(sam.eval().requires_grad_(False))
        self._predictor.model.to(device)
        return self._predictor


def require_package() -> None:
    """ImportError, with the remedy, where the optional package is missing."""
    if find_spec("segment_anything") is None:
        raise ImportError(
            "refine=dict(type='SAMPrompts') needs the package segment-anything: pip install 'ovdense[sam]' "
            "(or pip install segment-anything), or leave refine out"
        )
