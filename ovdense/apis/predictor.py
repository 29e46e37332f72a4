"""What segmentation and detection have in common: building, encode once and prompt many, batches.

Shapes: B images, (H, W) the picture's own size, (h, w) the size after the config's test pipeline.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope

from ovdense.apis.checkpoints import load_checkpoint
from ovdense.apis.configs import (
    ConfigError,
    inference_pipeline,
    load_config,
    method_config,
    methods_for,
    named_backbone,
    tasks_of,
    use_backbone,
)
from ovdense.apis.results import FailedImage
from ovdense.datasets.transforms import ImageError, read_image
from ovdense.registry import MODELS
from ovdense.structures import Vocabulary


def init_model(config, checkpoint=None, device=None, *, vocabulary=None, options: dict | None = None):
    """Builds the model of a config, with weights and words, ready to predict; ``model.cfg`` keeps the config.

    Args:
        config: path, name of a shipped config, or mmengine Config.
        checkpoint: trained weights; None for training-free methods.
        device: ``cpu``, ``cuda:0``, ...; None takes the GPU if there is one.
        vocabulary: class names in any form that ``load_vocabulary`` takes.
        options: dotted settings that are merged into the config.
    """
    config = load_config(config, options)
    init_default_scope(config.get("default_scope", "ovdense"))
    model = MODELS.build(config.model)
    if checkpoint is not None:
        meta = load_checkpoint(model, checkpoint)
        if meta.get("dataset_meta") and not getattr(model, "dataset_meta", None):
            model.dataset_meta = meta["dataset_meta"]
        if hasattr(model, "check_trained_vocabulary"):
            model.check_trained_vocabulary(meta)
    if vocabulary is not None:
        model.set_vocabulary(vocabulary)
    model.cfg = config
    return model.to(_device(device)).eval()


class Predictor:
    """A built model with its test pipeline: ``set_image``, ``set_vocabulary``, ``predict``."""

    task: ClassVar[str]

    def __init__(self, model, config: Config) -> None:
        self.model = model
        self.config = config
        self._pipeline = Compose(inference_pipeline(config))
        self._encoded = None
        self._image: np.ndarray | None = None
        self._path: str | None = None

    @classmethod
    def from_config(cls, config, checkpoint=None, device=None, *, vocabulary=None, options: dict | None = None):
        """A predictor of any config; see :func:`init_model` for the arguments."""
        config = load_config(config, options)
        if cls.task not in tasks_of(config):
            raise ConfigError(f"{cls.__name__} needs a config for {cls.task}, got a model {config.model.type}")
        return cls(init_model(config, checkpoint, device, vocabulary=vocabulary), config)

    @classmethod
    def from_pretrained(
        cls,
        model: str = "lite",
        pretrained: str | None = None,
        *,
        method: str | None = None,
        device=None,
        vocabulary=None,
        options: dict | None = None,
    ):
        """A predictor of a shipped config.

        Args:
            model: ``lite`` (photographs), ``scenes`` (drawn scenes), an open_clip model name such as
                ``ViT-B-16``, or a CLIP with its weights such as ``vit-b16_metaclip`` (``configs/_base_/backbones``).
            pretrained: open_clip tag (``openai``, downloads) or a local weights file; None for the embedded models.
            method: folder name under ``configs/``, such as ``maskclip`` or ``sclip``; None for the model's own default.
            device: ``cpu``, ``cuda:0``, ...; None takes the GPU if there is one.
            vocabulary: class names in any form that ``load_vocabulary`` takes.
            options: dotted settings that are merged into the config.
        """
        model, pretrained = named_backbone(model, pretrained)
        path, exact = method_config(cls.task, model, method)
        config = load_config(path)
        if not exact or pretrained is not None:
            use_backbone(config, model, pretrained, check=False)
        try:
            return cls.from_config(config, device=device, vocabulary=vocabulary, options=options)
        except TypeError as error:  # an option of this method that this kind of backbone does not have
            if method is not None:
                fitting = ", ".join(methods_for(cls.task, model)) or "none"
                raise ConfigError(
                    f"{path.stem} does not go with {model}: leave method out, or choose one that has a config for "
                    f"{model} ({fitting}); {error}"
                ) from error
        backbone = config.model.backbone
        config.model.backbone = {key: backbone[key] for key in ("type", "model", "pretrained")}
        return cls.from_config(config, device=device, vocabulary=vocabulary, options=options)

    @property
    def vocabulary(self) -> Vocabulary | None:
        """The current words; those of its training for a closed-set head; None if there are none yet."""
        if self.model.vocabulary is not None:
            return self.model.vocabulary
        meta = getattr(self.model, "dataset_meta", None) or {}
        if not meta.get("classes"):
            return None
        return Vocabulary.from_dict(dict(classes=meta["classes"], colors=meta.get("palette") or ()))

    def set_vocabulary(self, classes, **options):
        """Changes the words; a picture that was set stays encoded. Options of ``load_vocabulary``."""
        self.model.set_vocabulary(classes, **options)
        return self

    def set_image(self, image):
        """Encodes a picture (path, bytes, BGR array, PIL image) once, for any number of vocabularies."""
        self._path = str(image) if isinstance(image, (str, Path)) else None
        self._image = read_image(image)
        self._encoded = self._encode([self._prepare(self._image, self._path)])
        return self

    def predict(self):
        """The result for the picture that was set and the current words."""
        if self._encoded is None:
            raise ValueError("no picture yet: call set_image(...) before predict()")
        return self._result(self._decode(self._encoded)[0], self._path, self._image)

    def __call__(self, image, classes=None, **options):
        """``set_vocabulary`` (if classes are given), ``set_image`` and ``predict`` in one call."""
        if classes is not None:
            self.set_vocabulary(classes, **options)
        return self.set_image(image).predict()

    def data_sample(self, image):
        """The mm data sample of a picture: SegDataSample or DetDataSample."""
        path = str(image) if isinstance(image, (str, Path)) else None
        return self._decode(self._encode([self._prepare(read_image(image), path)]))[0]

    def predict_many(self, images: Iterable, *, batch_size: int = 1, progress: bool = True) -> list:
        """Results in the order of the images; a picture that fails gives a :class:`FailedImage` in its place."""
        images = list(images)
        results = [None] * len(images)
        stream = self.iter_predict(images, batch_size=batch_size)
        if progress and len(images) > 1:
            from rich.progress import track

            stream = track(stream, total=len(images), description="pictures")
        for index, result in stream:
            results[index] = result
        failed = [result for result in results if isinstance(result, FailedImage)]
        if failed and progress:
            print(f"{len(failed)} of {len(images)} pictures failed:")
            for result in failed:
                print(f"  {result.path}: {result.error}")
        return results

    def iter_predict(self, images: Iterable, *, batch_size: int = 1) -> Iterator[tuple[int, object]]:
        """(index, result or FailedImage) of each image, as they get ready; equal sizes share a batch."""
        waiting: dict[tuple, list] = {}
        for index, image in enumerate(images):
            path = str(image) if isinstance(image, (str, Path)) else f"image {index}"
            try:
                data = self._prepare(read_image(image), path)
            except ImageError as error:
                yield index, FailedImage(path, error)
                continue
            group = waiting.setdefault(tuple(data["inputs"].shape), [])
            group.append((index, path, data))
            if len(group) >= batch_size:
                yield from self._predict_group(waiting.pop(tuple(data["inputs"].shape)))
            elif sum(map(len, waiting.values())) >= 4 * batch_size:
                yield from self._predict_group(waiting.pop(max(waiting, key=lambda shape: len(waiting[shape]))))
        for group in waiting.values():
            yield from self._predict_group(group)

    def _predict_group(self, group: list) -> Iterator[tuple[int, object]]:
        """One batch; if it fails as a whole, its pictures are tried one by one."""
        try:
            samples = self._decode(self._encode([data for _, _, data in group]))
        except (RuntimeError, MemoryError) as error:
            if len(group) == 1:
                yield group[0][0], FailedImage(group[0][1], error)
                return
            for member in group:
                yield from self._predict_group([member])
            return
        for (index, path, _), sample in zip(group, samples):
            yield index, self._result(sample, path, None)

    def _prepare(self, image: np.ndarray, path: str | None) -> dict:
        data = self._pipeline(dict(img=image, img_path=path, img_id=0))
        if data is None:
            raise ImageError(f"the test pipeline dropped {path or 'the picture'}")
        return data

    @torch.no_grad()
    def _encode(self, batch: list[dict]):
        data = self.model.data_preprocessor(pseudo_collate(batch), False)
        return self.model.encode(data["inputs"], [sample.metainfo for sample in data["data_samples"]])

    @torch.no_grad()
    def _decode(self, encoded) -> list:
        if self.vocabulary is None:
            raise ValueError("no words yet: call set_vocabulary([...]) first")
        return self.model.decode(encoded)

    def _result(self, sample, path: str | None, image: np.ndarray | None):
        raise NotImplementedError


def _device(device) -> torch.device:
    count = torch.cuda.device_count()
    if device is None:
        device = "cuda" if count else "cpu"
    try:
        device = torch.device(device)
    except RuntimeError:
        raise ConfigError(f"a device is cpu, cuda or cuda:0, got {device!r}") from None
    if device.type == "cuda" and (device.index or 0) >= count:
        raise ConfigError(f"this machine has {count} CUDA devices that torch can use: take cpu, got {device}")
    return device
