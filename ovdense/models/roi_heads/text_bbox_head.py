"""mmdet's box heads with a text classifier: classes follow the vocabulary, and only likely boxes are regressed.

Shapes: R regions, K classes, D channels of the text space.
"""

from __future__ import annotations

from collections.abc import Mapping

from mmcv.ops import batched_nms
from mmdet.models.roi_heads.bbox_heads import BBoxHead, ConvFCBBoxHead
from mmdet.structures.bbox import scale_boxes
from mmengine.structures import InstanceData
from torch import Tensor

from ovdense.functional.region_pooling import clip_boxes
from ovdense.models.roi_heads.text_classifier import TextClassifier
from ovdense.registry import MODELS
from ovdense.structures import ClassEmbeddings


class TextBoxMixin:
    """What a text classifier asks of an mmdet box head, before the head in the list of bases.

    Args:
        classifier: options of ``TextClassifier`` (``embed_dim``, ``projection``, ``logit_scale``, ``background``, ...).
        kwargs: of the mmdet head; boxes are class-agnostic and ``num_classes`` follows the vocabulary.
    """

    def __init__(self, *args, classifier: Mapping | None = None, **kwargs) -> None:
        kwargs.setdefault("reg_class_agnostic", True)
        if not kwargs["reg_class_agnostic"]:
            raise ValueError("boxes of an open vocabulary are class-agnostic, got reg_class_agnostic=False")
        kwargs.setdefault("num_classes", 1)
        predictor = {"type": "ovdense.TextClassifier", **(classifier or {})}
        super().__init__(*args, cls_predictor_cfg=predictor, **kwargs)

    @property
    def classifier(self) -> TextClassifier:
        return self.fc_cls

    def set_class_embeddings(self, embeddings: ClassEmbeddings, background: Tensor | None = None) -> None:
        """Other classes; see ``TextClassifier``."""
        self.classifier.set_class_embeddings(embeddings, background)
        self.num_classes = embeddings.num_classes

    def branches(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What enters the classifier and what enters the box regression, from pooled features."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Logits (R,K+1) and box deltas (R,4)."""
        for_class, for_box = self.branches(x)
        return self.classifier(for_class), self.fc_reg(for_box) if self.with_reg else None

    def select(
        self,
        scores: Tensor,
        for_box: Tensor,
        boxes: Tensor,
        meta: Mapping,
        cfg: Mapping,
        rescale: bool = False,
    ) -> InstanceData:
        """Detections of one image: threshold, regression of the boxes that are left, class-wise NMS, the best.

        Args:
            scores: (R,K+1), background last; rows that are not finite are dropped.
            for_box: (R,...) what enters the box regression.
            boxes: (R,4) proposals in pixels of the input.
            meta: metainfo with ``img_shape``, and ``scale_factor`` where ``rescale``.
            cfg: ``score_thr``, ``nms``, ``max_per_img``; ``box_delta`` (default True, False keeps the proposals),
                ``nms_pre`` (best (region, class) pairs that enter NMS, default all).
            rescale: boxes in pixels of the original picture.
        """
        finite = scores.isfinite().all(1) & boxes.isfinite().all(1)
        above = (scores[:, :-1] > cfg["score_thr"]) & finite[:, None]
        alive = above.any(1).nonzero().flatten()
        above, scores, boxes = above[alive], scores[alive], boxes[alive]
        if self.with_reg and cfg.get("box_delta", True) and len(alive):
            deltas = self.fc_reg(for_box[alive])
            boxes = self.bbox_coder.decode(boxes, deltas, max_shape=meta["img_shape"])
        boxes = clip_boxes(boxes, tuple(meta["img_shape"])[:2])
        if rescale and len(boxes):
            boxes = scale_boxes(boxes, [1 / factor for factor in meta.get("scale_factor", (1.0, 1.0))])
        region, label = above.nonzero(as_tuple=True)
        values = scores[region, label]
        if (limit := cfg.get("nms_pre")) and len(values) > limit:
            values, order = values.topk(limit)
            region, label = region[order], label[order]
        boxes = boxes[region].to(values.dtype)
        if len(values) and cfg.get("nms") is not None:
            # mmcv keeps classes apart by shifting boxes: few, dense ids keep the shifts small.
            dense = label.unique(return_inverse=True)[1]
            found, keep = batched_nms(boxes, values, dense, dict(cfg["nms"]))
            boxes, values, label = found[:, :4], found[:, 4], label[keep]
        else:
            order = values.argsort(descending=True)
            boxes, values, label = boxes[order], values[order], label[order]
        limit = cfg.get("max_per_img", -1)
        best = slice(limit if limit > 0 else None)
        return InstanceData(bboxes=boxes[best], scores=values[best], labels=label[best])


@MODELS.register_module()
class TextBBoxHead(TextBoxMixin, BBoxHead):
    """For pooled features that are region embeddings already, (R,D) or (R,D,1,1): RegionCLIP."""

    def __init__(self, *args, roi_feat_size: int = 1, **kwargs) -> None:
        super().__init__(*args, roi_feat_size=roi_feat_size, **kwargs)

    def branches(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.with_avg_pool and x.ndim == 4:
            x = x.mean((2, 3))
        x = x.flatten(1)
        return x, x


@MODELS.register_module()
class TextConvFCBBoxHead(TextBoxMixin, ConvFCBBoxHead):
    """Convolutions and fully connected layers before the classifier: F-ViT, ViLD, F-VLM, BARON.

    The output of the last classification layer is the region embedding, or ``classifier=dict(projection=True)`` puts a
    linear layer behind it.
    """

    def branches(self, x: Tensor) -> tuple[Tensor, Tensor]:
        for conv in self.shared_convs:
            x = conv(x)
        if self.num_shared_fcs > 0:
            if self.with_avg_pool:
                x = self.avg_pool(x)
            x = x.flatten(1)
            for layer in self.shared_fcs:
                x = self.relu(layer(x))
        return self._branch(x, self.cls_convs, self.cls_fcs), self._branch(x, self.reg_convs, self.reg_fcs)

    def _branch(self, x: Tensor, convs, layers) -> Tensor:
        for conv in convs:
            x = conv(x)
        if x.ndim > 2:
            x = (self.avg_pool(x) if self.with_avg_pool else x).flatten(1)
        for layer in layers:
            x = self.relu(layer(x))
        return x
