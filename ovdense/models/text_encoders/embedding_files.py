"""Class embeddings from files that other code wrote, and our own files of them.

Shapes: K classes, S phrases, C channels.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from ovdense.models.vocabulary_files import load_vocabulary
from ovdense.structures import ClassEmbeddings, Vocabulary
from ovdense.structures.vocabulary import is_background


def load_class_embeddings(
    source: str | Path | Tensor | np.ndarray | Mapping[str, Tensor],
    vocabulary: Vocabulary | None = None,
    *,
    space: str = "",
    rows=None,
) -> ClassEmbeddings:
    """Class embeddings from a file, a table or a dict of name -> vector; rows are made unit.

    Files of ovdet, CLIPSelf, F-ViT, RegionCLIP, Detic and OTSeg load as they are: tables (K, C) of any length of row,
    several prompts a class (K, P, C), names with underscores, and a vector of the background beyond the classes, which
    is left out here (``background_embedding`` gives it).

    Args:
        source: .safetensors, .npy or .pt (plain tensors only), which hold a table (K, C) or (S, C) in the order of the
            vocabulary, or a vector for each name; or such a table or dict itself; or these arguments as a dict.
        vocabulary: the classes; None where the names are in the file.
        space: text space of a source that does not say its own.
        rows: what the rows of a table stand for, where that is more, or in another order, than the vocabulary: a
            source of ``load_vocabulary`` such as ``coco-80``. The classes are then taken by name.

    Raises:
        ValueError: no names, classes without an embedding (named), or a table of another length.
    """
    if isinstance(source, Mapping) and isinstance(source.get("source"), (str, Path)):
        return load_class_embeddings(**{"vocabulary": vocabulary, "space": space, "rows": rows, **source})
    content, metadata = read_embeddings(Path(source)) if isinstance(source, (str, Path)) else (source, {})
    if rows is not None and not isinstance(content, Mapping):
        content = named_rows(content, load_vocabulary(rows, duplicates="keep"))
    space = metadata.get("space", space)
    if vocabulary is None and "vocabulary" in metadata:
        vocabulary = Vocabulary.from_dict(json.loads(metadata["vocabulary"]))
    if isinstance(content, Mapping):
        if vocabulary is None:
            names = [name for name in content if not is_background(name)] or list(content)
            vocabulary = Vocabulary.parse(names, duplicates="keep")
        return from_names(content, vocabulary, space=space)
    if vocabulary is None:
        raise ValueError(f"a table of embeddings needs a vocabulary that names its rows, got {tuple(content.shape)}")
    return from_table(content, vocabulary, space=space)


def save_class_embeddings(embeddings: ClassEmbeddings, path: str | Path) -> None:
    """A .safetensors file with the rows, the vocabulary and the name of the text space."""
    metadata = dict(vocabulary=json.dumps(embeddings.vocabulary.to_dict()), space=embeddings.space)
    save_file({"rows": embeddings.rows.detach().float().cpu().contiguous()}, path, metadata=metadata)


def from_table(table: Tensor | np.ndarray, vocabulary: Vocabulary, *, space: str) -> ClassEmbeddings:
    """Embeddings from one row for each phrase, one for each class, or several prompts (K, P, C) for each class.

    One row more than there are classes is the background's, as in the files of F-ViT and CLIM.
    """
    rows = torch.as_tensor(table)
    count = vocabulary.num_classes
    if rows.ndim == 3 and len(rows) == count:
        index = torch.arange(count).repeat_interleave(rows.shape[1])
        return ClassEmbeddings(unit(rows.flatten(0, 1)), index, vocabulary, space)
    if rows.ndim != 2:
        raise ValueError(f"a table of class embeddings has shape (K, C), or (K, P, C), got {tuple(rows.shape)}")
    if len(rows) == vocabulary.num_phrases:
        index = vocabulary.class_index
    elif len(rows) in (count, count + 1):
        rows, index = rows[:count], range(count)
    else:
        raise ValueError(
            f"the vocabulary has {count} classes and {vocabulary.num_phrases} phrases, "
            f"got {len(rows)} rows of embeddings{_hint(rows, vocabulary)}"
        )
    names = [vocabulary.classes[position] for position in index]
    return ClassEmbeddings(unit(rows, names), torch.tensor(list(index)), vocabulary, space)


def _hint(rows: Tensor, vocabulary: Vocabulary) -> str:
    """What may be wrong with a table of another length."""
    if rows.shape[1] == vocabulary.num_classes:
        return ": the table looks transposed, pass table.T"
    lengths = {80: "coco-80", 133: "coco-133", 171: "coco-stuff-171", 1203: "lvis-1203", 65: "coco-65"}
    known = lengths.get(len(rows)) or lengths.get(len(rows) - 1)
    return f": if they are those of {known}, say rows={known!r}, and the classes are taken by name" if known else ""


def named_rows(table: Tensor | np.ndarray, names: Vocabulary) -> dict[str, Tensor]:
    """A table (K, C), or (K + 1, C) with the background last, as a dict of name -> row."""
    rows = torch.as_tensor(table)
    if rows.ndim != 2 or len(rows) not in (names.num_classes, names.num_classes + 1):
        raise ValueError(f"rows names {names.num_classes} classes, but the table has shape {tuple(rows.shape)}")
    found = dict(zip(names.classes, rows))
    return {**found, "background": rows[-1]} if len(rows) > names.num_classes else found


def background_embedding(source: str | Path | Tensor | Mapping[str, Tensor], num_classes: int | None = None) -> Tensor:
    """The unit vector (C,) of the background: the entry of that name, or the row after ``num_classes`` rows of a table.

    Raises:
        ValueError: there is none.
    """
    content = read_embeddings(Path(source))[0] if isinstance(source, (str, Path)) else source
    if isinstance(content, Mapping):
        row = next((vector for name, vector in content.items() if is_background(name)), None)
    else:
        row = content[-1] if num_classes is not None and len(content) == num_classes + 1 else None
    if row is None:
        size = f"{len(content)} names" if isinstance(content, Mapping) else f"a table {tuple(content.shape)}"
        raise ValueError(f"no embedding of the background: it is an entry 'background' or one row too many, got {size}")
    return unit(torch.as_tensor(row).reshape(1, -1))[0]


def missing_classes(source: str | Path | Mapping[str, Tensor], vocabulary: Vocabulary) -> list[str]:
    """Names of the classes that a file or dict by name has no embedding for."""
    content = read_embeddings(Path(source))[0] if isinstance(source, (str, Path)) else source
    if not isinstance(content, Mapping):
        raise ValueError("a table has no names: say what its rows stand for by named_rows(table, vocabulary)")
    known = {plain_name(name) for name in content}
    pairs = zip(vocabulary.classes, vocabulary.phrases)
    return [name for name, words in pairs if words and known.isdisjoint(map(plain_name, (name, *words)))]


def plain_name(name: str) -> str:
    """A name without the marks that files differ in: case, underscores, slashes, and spaces before a bracket."""
    plain = re.sub(r"[_\s]+", " ", name.casefold().replace("/", " or ")).replace(" (", "(").strip(" .")
    return plain.replace("stero equipment", "stereo equipment")  # LVIS v1's spelling


def from_names(vectors: Mapping[str, Tensor], vocabulary: Vocabulary, *, space: str) -> ClassEmbeddings:
    """Embeddings from a vector for each phrase, or for a class by its name when none of its phrases has one."""
    plain = {plain_name(name): vector for name, vector in reversed(list(vectors.items()))}
    rows, index, missing = [], [], []
    for position, (name, phrases) in enumerate(zip(vocabulary.classes, vocabulary.phrases)):
        found = [vectors[word] for word in phrases if word in vectors] or [
            vectors[word] for word in (name,) if word in vectors
        ]
        found = found or [plain[key] for key in dict.fromkeys(map(plain_name, (*phrases, name))) if key in plain]
        if not found and phrases:
            missing.append(name)
        rows += [torch.as_tensor(vector).reshape(-1) for vector in found]
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


def unit(rows: Tensor, names: Sequence[str] | None = None) -> Tensor:
    """Unit float32 rows; raises for rows that have no direction, by name where there are names."""
    rows = rows.float()
    bad = (~rows.isfinite().all(1) | (rows.norm(dim=1) == 0)).nonzero().flatten().tolist()
    if bad:
        whose = "" if names is None else f", those of {[names[place] for place in bad[:10]]}"
        raise ValueError(f"class embeddings hold zero or non-finite rows at {bad[:10]}{whose}")
    return F.normalize(rows, dim=-1)
