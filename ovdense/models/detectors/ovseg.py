"""OVSeg (arXiv 2210.04150): proposals of a MaskFormer, named by the head and by a CLIP that looks at masked crops.

Shapes: B images, Q proposals, K classes (void is column K), C channels of the text space, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.structures import PixelData
from torch import Tensor

from ovdense.functional.mask_postprocess import ResizedMasks
from ovdense.functional.proposal_scores import binary_semantic_labels, keep_best_proposals
from ovdense.functional.region_pooling import resize_masks
from ovdense.models.detectors.open_vocab_maskformer import EncodedMasks, OpenVocabMaskFormer
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures, MaskProposals


@MODELS.register_module()
class OVSeg(OpenVocabMaskFormer):
    """An ``OpenVocabMaskFormer`` whose region classifier sees each proposal as a crop, ``RegionCLIPClassifier``.

    Args:
        mask_thr: probability above which a pixel belongs to a proposal's crop: 0.4 for Swin-B, 0.5 for R101c.
        official_demo: answer as the official demo does: a class is shown by its single best proposal, as a binary
            mask. With one class it needs a second one, such as ``others``, that chooses no proposal.
        kwargs: of ``OpenVocabMaskFormer``; ``backbone`` need not be a CLIP.
    """

    def __init__(self, *, mask_thr: float = 0.4, official_demo: bool = False, **kwargs) -> None:
        if not 0 < mask_thr < 1:
            raise ValueError(f"mask_thr is a probability, got {mask_thr}")
        super().__init__(**kwargs)
        self.mask_thr, self.official_demo = mask_thr, official_demo

    def look_at_regions(self, proposals: MaskProposals, features: DenseFeatures, images: Tensor) -> MaskProposals:
        """The proposals as they are: crops are cut when the picture's size without padding is known."""
        return proposals

    @torch.no_grad()
    def encode(self, images: Tensor, metainfos: Sequence[dict] | None = None) -> EncodedMasks:
        """Proposals of normalised images (B,3,H,W) and what the region CLIP sees in them."""
        encoded = super().encode(images, metainfos)
        for index, proposals in enumerate(encoded.proposals):
            if proposals is not None:
                self._look_at_crops(proposals, encoded, index)
        return encoded

    @torch.no_grad()
    def classify(self, encoded: EncodedMasks, index: int) -> tuple[MaskProposals, Tensor]:
        """The proposals of one picture and their class scores (Q,K+1), void last."""
        if encoded.proposals[index] is not None:
            return super().classify(encoded, index)
        self._hand_on_classes()
        proposals = self.propose(encoded.features[index], encoded.images[index])
        self._look_at_crops(proposals, encoded, index)
        return proposals, self.class_probabilities(proposals, encoded.features[index])[0]

    def _look_at_crops(self, proposals: MaskProposals, encoded: EncodedMasks, index: int) -> None:
        """Embeds one picture's proposals by their crops of the network's input."""
        if self.region_classifier is None:
            return
        padded = encoded.images[index]
        height, width = encoded.metainfos[index]["img_shape"][:2]
        masks = ResizedMasks.resize(proposals.mask_logits[0], padded=tuple(padded.shape[-2:]), valid=(height, width))
        shown = [logits.sigmoid() > self.mask_thr for _, logits in masks.chunks()]
        shown = torch.cat(shown) if shown else padded.new_zeros((0, height, width), dtype=torch.bool)
        regions, usable = self._embed_crops(padded[0, :, :height, :width], shown)
        proposals.regions, proposals.usable = regions[None], usable[None]

    def _embed_crops(self, image: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """(Q,C) embeddings, zeros for masks without a pixel, and which have one (Q,), of a normalised picture."""
        found, valid = self.region_classifier(self.pixels(image), masks)
        regions = found.new_zeros((len(masks), found.shape[1]))
        regions[valid] = found
        return regions, valid

    def pixels(self, image: Tensor) -> Tensor:
        """The RGB picture of 0 to 255 behind a normalised one (3,H,W)."""
        mean, std = self.data_preprocessor.mean, self.data_preprocessor.std
        return (image * std.to(image) + mean.to(image)).clamp(0, 255)

    def _answer(self, sample, probabilities: Tensor, masks: ResizedMasks) -> None:
        if not self.official_demo:
            super()._answer(sample, probabilities, masks)
            return
        classes = probabilities[:, :-1]
        others = classes.shape[1] == 2 and self.vocabulary.classes[-1] == "others"
        scores = keep_best_proposals(classes, int(others))
        labels = binary_semantic_labels(scores, masks, self.mask_thr)[None]
        sample.pred_sem_seg = PixelData(sem_seg=labels, data=labels)

    @torch.no_grad()
    def name_masks(
        self, images: Tensor, masks: Sequence[Tensor], metainfos: Sequence[dict] | None = None
    ) -> list[Tensor]:
        """Probabilities of the classes for masks that something else made, by the region CLIP alone.

        Args:
            images: normalised (B,3,H,W).
            masks: for each image (Q,h,w) bool of its ``img_shape``'s part, in any resolution.

        Returns:
            For each image (Q,K); rows of masks without a pixel are 0.
        """
        if self.region_classifier is None:
            raise ValueError("naming given masks takes the region CLIP: build the model with a region_classifier")
        metainfos = [{} for _ in images] if metainfos is None else metainfos
        results = []
        for image, own, meta in zip(images, masks, metainfos):
            height, width = tuple(meta.get("img_shape", images.shape[-2:]))[:2]
            own = resize_masks(own.to(image.device).bool(), (height, width))
            regions, valid = self._embed_crops(image[:, :height, :width], own)
            results.append(self.region_logits(regions[None])[0].float().softmax(dim=-1) * valid[:, None])
        return results
