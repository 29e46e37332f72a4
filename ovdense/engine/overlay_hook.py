"""Paints predictions during testing, of segmentors and detectors alike."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from mmengine.hooks import Hook
from mmengine.structures import BaseDataElement

from ovdense.functional.panoptic import panoptic_ids
from ovdense.registry import HOOKS
from ovdense.structures import Vocabulary
from ovdense.visualization import draw_detections, draw_panoptic, draw_segmentation


@HOOKS.register_module()
class OverlayHook(Hook):
    """Writes an overlay with a legend for every ``interval``-th test picture.

    The picture is taken from the batch, not read again, so that it works for generated data as well. The options are
    those of mmseg's and mmdet's visualization hooks: ``tools/test.py --show-dir DIR`` turns it on. Of a sample with
    several kinds of results the panoptic map is painted, else the semantic one, else boxes and masks.

    Args:
        draw: whether it does anything.
        interval: pictures from one painting to the next.
        show: open a window.
        wait_time: seconds that a window stays, 0 for ever.
        score_thr: lowest score of a box that is painted.
        test_out_dir: folder of the paintings; None for ``painted`` in the runner's log folder.
    """

    def __init__(
        self,
        *,
        draw: bool = False,
        interval: int = 1,
        show: bool = False,
        wait_time: float = 0.0,
        score_thr: float = 0.3,
        test_out_dir: str | None = None,
    ) -> None:
        self.draw = draw
        self.interval = interval
        self.show = show
        self.wait_time = wait_time
        self.score_thr = score_thr
        self.test_out_dir = test_out_dir
        self._count = 0

    def after_test_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        if not self.draw:
            return
        meta = runner.test_loop.dataloader.dataset.metainfo
        names = Vocabulary.from_dict(dict(classes=meta["classes"], colors=meta.get("palette") or ()))
        for inputs, sample in zip(data_batch["inputs"], outputs):
            if self._count % self.interval == 0:
                self._paint(runner, inputs.cpu().numpy().transpose(1, 2, 0), sample, names)
            self._count += 1

    def _paint(self, runner, image: np.ndarray, sample: BaseDataElement, names: Vocabulary) -> None:
        height, width = sample.ori_shape
        image = cv2.resize(np.ascontiguousarray(image), (width, height), interpolation=cv2.INTER_LINEAR)
        painted = self._overlay(image, sample, names)
        if self.show:
            cv2.imshow("ovdense", painted)
            cv2.waitKey(round(1000 * self.wait_time))
        folder = Path(self.test_out_dir or Path(runner.log_dir) / "painted")
        folder.mkdir(parents=True, exist_ok=True)
        stem = Path(sample.get("img_path") or "picture").stem
        cv2.imwrite(str(folder / f"{self._count:05d}_{stem}.jpg"), painted)

    def _overlay(self, image: np.ndarray, sample: BaseDataElement, names: Vocabulary) -> np.ndarray:
        options = dict(classes=names.classes, palette=names.palette)
        if "pred_panoptic_seg" in sample:
            ids, segments = panoptic_ids(sample.pred_panoptic_seg.sem_seg[0].cpu(), names.num_classes)
            return draw_panoptic(image, ids.numpy(), segments, **options)
        if "pred_sem_seg" in sample:
            labels = sample.pred_sem_seg.data[0].cpu().numpy()
            return draw_segmentation(image, labels, background_index=names.background_index, **options)
        found = sample.pred_instances
        found = found[found.scores >= self.score_thr].cpu()
        masks = np.asarray(found.masks) if "masks" in found else None
        return draw_detections(
            image, found.bboxes.numpy(), found.labels.numpy(), scores=found.scores.numpy(), masks=masks, **options
        )
