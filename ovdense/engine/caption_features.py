"""Training from captions on frozen towers: every picture and caption goes through them once, before the first step."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import torch
from mmengine.dataset import BaseDataset, pseudo_collate
from mmengine.dist import barrier, get_dist_info
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop
from mmseg.structures import SegDataSample
from torch.utils.data import DataLoader, Subset

from ovdense.engine.embedding_store import EmbeddingStore
from ovdense.models.backbones.checkpoint import tensors_digest
from ovdense.models.segmentors.caption_segmentor import caption_of
from ovdense.models.text_encoders.progress import progress_bar
from ovdense.registry import HOOKS


@HOOKS.register_module()
class CaptionFeaturesHook(Hook):
    """Before training, computes what ``CaptionSegmentor`` needs of the frozen towers and keeps it on disk.

    The dataset then gives rows in place of pictures, so that an epoch costs what the head costs. The work is shared
    among processes, can be stopped at any time and goes on where it was; another pipeline, dataset or model starts a
    folder of its own.

    Args:
        folder: of the rows; None for ``features`` in the work dir.
        batch_size: pictures that go through the backbone together; None as in training.
        part_bytes: size of the files.
    """

    priority = "VERY_LOW"

    def __init__(
        self, *, folder: str | Path | None = None, batch_size: int | None = None, part_bytes: int = 64 * 2**20
    ) -> None:
        self.folder, self.batch_size, self.part_bytes = folder, batch_size, part_bytes
        self._dataset: BaseDataset | None = None

    def before_train(self, runner) -> None:
        loader = runner.train_loop.dataloader
        dataset, model = loader.dataset, getattr(runner.model, "module", runner.model)
        _check(dataset, model, loader, runner.train_loop)
        folder = Path(self.folder or Path(runner.work_dir) / "features") / fingerprint(runner.cfg, model)
        images = EmbeddingStore(folder / "images", self.part_bytes)
        captions = EmbeddingStore(folder / "captions", self.part_bytes)
        runner.logger.info(f"features of {len(images)} pictures and {len(captions)} captions are in {folder}")
        fill = Filling(dataset, model, images, captions)
        fill.run(self.batch_size or loader.batch_size, loader.num_workers)
        barrier()
        images.refresh()
        captions.refresh()
        dataset.prepare_data = StoredRows(dataset, images, captions)
        self._dataset = dataset

    def after_train(self, runner) -> None:
        if self._dataset is not None:
            del self._dataset.prepare_data
            self._dataset = None


class StoredRows:
    """``dataset.prepare_data`` that loads nothing: rows of the picture and the caption, and one black pixel."""

    def __init__(self, dataset: BaseDataset, images: EmbeddingStore, captions: EmbeddingStore) -> None:
        self.dataset, self.images, self.captions = dataset, images, captions

    def __call__(self, index: int) -> dict:
        entry = raw_entry(self.dataset, index)
        sample = SegDataSample(metainfo=dict(img_path=entry["img_path"]))
        sample.set_field(self.images[entry["img_path"]], "image_embedding")
        sample.set_field(self.captions[str(entry["sample_idx"])], "caption_embedding")
        return dict(inputs=torch.zeros(3, 1, 1, dtype=torch.uint8), data_samples=sample)


class Filling:
    """What is missing in two stores, made picture by picture.

    Args:
        dataset: entries with ``img_path``, and ``caption`` in the entry or in the sample's metainfo.
        model: a ``CaptionSegmentor``.
        images: rows by ``img_path``.
        captions: rows by number of the entry.
    """

    def __init__(self, dataset: BaseDataset, model, images: EmbeddingStore, captions: EmbeddingStore) -> None:
        self.dataset, self.model, self.images, self.captions = dataset, model, images, captions

    def run(self, batch_size: int, num_workers: int) -> None:
        """This process's share; what was made is written even where the work is interrupted."""
        load, say = self.missing()
        try:
            with progress_bar(len(load) + len(say), "encoding pictures and captions") as advance:
                for indices, samples in self.pictures(load, batch_size, num_workers):
                    said = {str(index): caption_of(sample) for index, sample in zip(indices, samples)}
                    self.say(said)
                    advance(len(indices))
                for start in range(0, len(say), batch_size):
                    part = say[start : start + batch_size]
                    self.say({str(index): raw_entry(self.dataset, index)["caption"] for index in part})
                    advance(len(part))
        finally:
            self.images.flush()
            self.captions.flush()

    def missing(self) -> tuple[list[int], list[int]]:
        """Entries whose picture has to be loaded, and those whose caption alone is wanted, of this process's share."""
        rank, world = get_dist_info()
        groups: dict[str, list[int]] = {}
        spoken = set()
        for index in range(len(self.dataset)):
            entry = raw_entry(self.dataset, index)
            if entry.get("caption"):
                spoken.add(index)
            if entry["img_path"] not in self.images or str(index) not in self.captions:
                groups.setdefault(entry["img_path"], []).append(index)
        load, say = [], []
        for path in list(groups)[rank::world]:
            first, *others = groups[path]
            seen = path in self.images and first in spoken
            (say if seen else load).append(first)
            for index in others:
                (say if index in spoken else load).append(index)
        return load, say

    def pictures(self, indices: list[int], batch_size: int, num_workers: int) -> Iterator[tuple[list[int], list]]:
        """Puts the pictures of some entries in the store; gives their numbers and samples, batch by batch."""
        loader = DataLoader(
            Subset(self.dataset, indices), batch_size=batch_size, num_workers=num_workers, collate_fn=pseudo_collate
        )
        for start, data in zip(range(0, len(indices), batch_size), loader):
            part = indices[start : start + batch_size]
            data = self.model.data_preprocessor(data, True)
            keys = [raw_entry(self.dataset, index)["img_path"] for index in part]
            self.images.add(keys, self.model.embed_images(data["inputs"]).float())
            yield part, data["data_samples"]

    def say(self, captions: dict[str, str]) -> None:
        wanted = {key: caption for key, caption in captions.items() if key not in self.captions}
        if wanted:
            self.captions.add(wanted, self.model.embed_captions(list(wanted.values())).float())


def raw_entry(dataset: BaseDataset, index: int) -> dict:
    """An entry of the dataset's list; nothing is drawn or read, whatever a subclass does in ``get_data_info``."""
    return BaseDataset.get_data_info(dataset, index)


def fingerprint(config, model) -> str:
    """Names what the rows depend on: dataset and pipeline, backbone with its weights, text tower."""
    tower = model._text_encoder.tower.fingerprint
    facts = dict(
        dataset=config.train_dataloader.dataset.to_dict(),
        backbone=config.model.backbone.to_dict(),
        weights=tensors_digest(model.backbone.state_dict()),
        preprocessor=[tensor.tolist() for tensor in model.data_preprocessor.buffers()],
        text=tower or uuid.uuid4().hex,  # a random tower lives no longer than its process
    )
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _check(dataset, model, loader, loop) -> None:
    if not isinstance(dataset, BaseDataset) or not hasattr(model, "embed_captions"):
        raise TypeError(
            "CaptionFeaturesHook goes with an mm dataset and a CaptionSegmentor, got "
            f"{type(dataset).__name__} and {type(model).__name__}"
        )
    random = [type(step).__name__ for step in dataset.pipeline.transforms if _is_random(step)]
    if random:
        raise ValueError(
            f"features that are kept need a pipeline that repeats itself: take {', '.join(random)} out of it, or drop "
            "CaptionFeaturesHook"
        )
    if isinstance(loop, IterBasedTrainLoop) and loader.num_workers:
        raise ValueError(
            "an iteration-based loop starts its workers before there are features: set train_dataloader.num_workers=0 "
            f"or train by epochs, got num_workers={loader.num_workers}"
        )


def _is_random(step) -> bool:
    return any(word in type(step).__name__ for word in ("Random", "PhotoMetric", "Mosaic"))
