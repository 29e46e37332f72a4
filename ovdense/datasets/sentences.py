"""Sentences with the vectors that a sentence encoder gives them, to train a small text tower on.

A folder of ``tools/dataset_converters/make_sentences.py``. Shapes: N sentences, L tokens, D channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.registry import DATA_SAMPLERS, FUNCTIONS
from safetensors.torch import load_file
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from ovdense.registry import DATASETS

FILES = ("tokens.safetensors", "vectors.npy", "mean.npy")


@DATASETS.register_module()
class SentenceDataset(Dataset):
    """Tokens (L,), padded with 0, and the centred vector (D,) of each sentence.

    Args:
        data_root: folder of ``make_sentences.py``.
        shipped_repeat: how often a pass sees the names of the shipped vocabularies, alone and in templates
            (``shipped.npy``); other texts come once.
    """

    def __init__(self, *, data_root: str | Path, shipped_repeat: int = 1) -> None:
        root = Path(data_root)
        missing = [name for name in FILES if not (root / name).is_file()]
        if missing:
            raise FileNotFoundError(
                f"{root} has no {', '.join(missing)}: write it with tools/dataset_converters/make_sentences.py"
            )
        self.tokens = load_file(root / "tokens.safetensors")["tokens"]
        self.vectors = np.load(root / "vectors.npy", mmap_mode="r")
        self.mean = torch.from_numpy(np.load(root / "mean.npy"))
        if len(self.tokens) != len(self.vectors):
            raise ValueError(
                f"{root} holds {len(self.tokens)} token rows but {len(self.vectors)} vectors: write it anew"
            )
        if shipped_repeat < 1:
            raise ValueError(f"shipped_repeat is at least 1, got {shipped_repeat}")
        self.index = np.arange(len(self.tokens))
        if shipped_repeat > 1:
            if not (root / "shipped.npy").is_file():
                raise FileNotFoundError(
                    f"{root} has no shipped.npy: run tools/dataset_converters/make_sentences.py again"
                )
            shipped = np.flatnonzero(np.load(root / "shipped.npy"))
            self.index = np.concatenate([self.index, *[shipped] * (shipped_repeat - 1)])
        # The end token is the largest id, and the only one of its kind in a row.
        self.lengths = (self.tokens.argmax(1) + 1)[self.index].tolist()

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        row = self.index[index]
        vector = torch.from_numpy(np.array(self.vectors[row], dtype=np.float32)) - self.mean
        return dict(inputs=self.tokens[row, : self.lengths[index]].long(), targets=vector)


@FUNCTIONS.register_module()
def pad_sentences(samples: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Tokens (N, L) padded with 0 to the longest of the batch, and targets (N, D)."""
    inputs = torch.nn.utils.rnn.pad_sequence([sample["inputs"] for sample in samples], batch_first=True)
    return dict(inputs=inputs, targets=torch.stack([sample["targets"] for sample in samples]))


@DATA_SAMPLERS.register_module()
class LengthBatchSampler(Sampler):
    """Batches of sentences of like length, in random order, so that little is computed on padding.

    Args:
        sampler: gives indices of a dataset that has ``lengths``.
        batch_size: sentences per batch.
        drop_last: leave out a last, smaller batch.
        group: batches that are sorted by length together.
        seed: of the batches' order.
    """

    def __init__(
        self, sampler: Sampler, batch_size: int, drop_last: bool = True, group: int = 32, seed: int = 0
    ) -> None:
        self.sampler, self.batch_size, self.drop_last, self.group, self.seed = (
            sampler,
            batch_size,
            drop_last,
            group,
            seed,
        )
        self.lengths = sampler.dataset.lengths

    def __iter__(self) -> Iterator[list[int]]:
        generator = torch.Generator().manual_seed(self.seed)
        pool: list[int] = []
        for index in self.sampler:
            pool.append(index)
            if len(pool) == self.group * self.batch_size:
                yield from self.split(pool, generator)
                pool = []
        yield from self.split(pool, generator)

    def split(self, pool: list[int], generator: torch.Generator) -> list[list[int]]:
        """Batches of the pool, sorted by length and shuffled as wholes."""
        pool = sorted(pool, key=lambda index: self.lengths[index])
        batches = [pool[start : start + self.batch_size] for start in range(0, len(pool), self.batch_size)]
        if self.drop_last:
            batches = [batch for batch in batches if len(batch) == self.batch_size]
        return [batches[place] for place in torch.randperm(len(batches), generator=generator).tolist()]

    def __len__(self) -> int:
        return len(self.sampler) // self.batch_size
