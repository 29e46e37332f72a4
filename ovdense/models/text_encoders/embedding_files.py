"""Class embeddings from files that other code wrote, and our own files of them.

Shapes: K classes, S phrases, C channels.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from ovdense.structures import ClassEmbeddings, Vocabulary


def load_class_embeddings(
    source: str | Path | Tensor | np.ndarray | Mapping[str, Tensor],
    vocabulary: Vocabulary | None = None,
    *,
    space: str = "",
) -> ClassEmbeddings:
    """Class embeddings from a file, a table or a dict of name -> vector; rows are made unit.

    Args:
        source: .safetensors, .npy or .pt (plain tensors only), which hold a table (K, C) or (S, C) in the order of the
            vocabulary, or a vector for each name; or such a table or dict itself.
        vocabulary: the classes; None where the names are in the file.
        space: text space of a source that does not say its own.

    Raises:
        ValueError: no names, a class without an embedding (named), or a table of another length.
    """
    content, metadata = read_embeddings(Path(source)) if isinstance(source, (str, Path)) else (source, {})
    space = metadata.get("space", space)
    if vocabulary is None and "vocabulary" in metadata:
        vocabulary = Vocabulary.from_dict(json.loads(metadata["vocabulary"]))
    if isinstance(content, Mapping):
        if vocabulary is None:
            vocabulary = Vocabulary.parse(list(content), duplicates="keep")
        return from_names(content, vocabulary, space=space)
    if vocabulary is None:
        raise ValueError(f"a table of embeddings needs a vocabulary that names its rows, got {tuple(content.shape)}")
    return from_table(content, vocabulary, space=space)


def save_class_embeddings(embeddings: ClassEmbeddings, path: str | Path) -> None:
    """A .safetensors file with the rows, the vocabulary and the name of the text space."""
    metadata = dict(vocabulary=json.dumps(embeddings.vocabulary.to_dict()), space=embeddings.space)
    save_file({"rows": embeddings.rows.detach().float().cpu().contiguous()}, path, metadata=metadata)


def from_table(table: Tensor | np.ndarray, vocabulary: Vocabulary, *, space: str) -> ClassEmbeddings:
    """Embeddings from one row for each phrase, or one for each class."""
    rows = torch.as_tensor(table)
    if rows.ndim != 2:
        raise ValueError(f"a table of class embeddings has shape (K, C), got {tuple(rows.shape)}")
    if len(rows) == vocabulary.num_phrases:
        index = vocabulary.class_index
    elif len(rows) == vocabulary.num_classes:
        index = range(vocabulary.num_classes)
    else:
        raise ValueError(
            f"the vocabulary has {vocabulary.num_classes} classes and {vocabulary.num_phrases} phrases, "
            f"got {len(rows)} rows of embeddings"
        )
    return ClassEmbeddings(unit(rows), torch.tensor(list(index)), vocabulary, space)


def from_names(vectors: Mapping[str, Tensor], vocabulary: Vocabulary, *, space: str) -> ClassEmbeddings:
    """Embeddings from a vector for each phrase, or for a class by its name when none of its phrases has one."""
    rows, index, missing = [], [], []
    for position, (name, phrases) in enumerate(zip(vocabulary.classes, vocabulary.phrases)):
        found = [phrase for phrase in phrases if phrase in vectors] or [name] * (name in vectors)
        if not found and phrases:
            missing.append(name)
        rows += [torch.as_tensor(vectors[phrase]).reshape(-1) for phrase in found]
        index += [position] * len(found)
    if missing:
        raise ValueError(
            f"no embedding for {len(missing)} of {vocabulary.num_classes} classes: add them, or encode the names with "
            f"the model's text encoder, got {missing[:10]}"
        )
    return ClassEmbeddings(unit(torch.stack(rows)), torch.tensor(index), vocabulary, space)


def read_embeddings(path: Path) -> tuple[Tensor | dict[str, Tensor], dict[str, str]]:
    """A table or a dict of vectors, and the file's metadata."""
    if not path.is_file():
        raise FileNotFoundError(f"no file of class embeddings there: {str(path)!r}")
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return torch.from_numpy(np.load(path, allow_pickle=False)), {}
    if suffix in (".pt", ".pth"):
        content, metadata = torch.load(path, map_location="cpu", weights_only=True), {}
    elif suffix == ".safetensors":
        with safe_open(str(path), framework="pt") as file:
            content, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    else:
        raise ValueError(f"class embeddings are read from .safetensors, .npy or .pt, got {str(path)!r}")
    if isinstance(content, Mapping) and len(content) == 1:
        only = next(iter(content.values()))
        content = only if getattr(only, "ndim", 1) == 2 else content
    return content, metadata


def unit(rows: Tensor) -> Tensor:
    """Unit float32 rows; raises for rows that have no direction."""
    rows = rows.float()
    bad = (~rows.isfinite().all(1) | (rows.norm(dim=1) == 0)).nonzero().flatten().tolist()
    if bad:
        raise ValueError(f"class embeddings hold zero or non-finite rows at {bad[:10]}")
    return F.normalize(rows, dim=-1)
