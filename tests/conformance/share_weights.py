"""Keeps every weight tensor of ``tests/data/official`` once: python tests/conformance/share_weights.py

A tensor that lies in several cases under one name stays in the case with the most tensors; the others name it in
``weights_from.json``. Running it again changes nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict

from official_cases import SHIPPED, Case
from safetensors.torch import load_file, save_file
from torch import Tensor

SMALL = 1024  # bytes below which a tensor is not worth a line


def main() -> None:
    cases = [Case(folder) for folder in sorted(SHIPPED.iterdir()) if folder.is_dir()]
    weights = {case: load_file(case.own_weights) for case in cases if case.own_weights}
    order = sorted(weights, key=lambda case: (-len(weights[case]), case.name))
    owner: dict[tuple[str, str], Case] = {}
    for case in order:
        for name, tensor in weights[case].items():
            owner.setdefault((name, _digest(tensor)), case)
    for case, tensors in weights.items():
        _write(case, tensors, {name: owner[name, _digest(tensor)] for name, tensor in tensors.items()})


def _write(case: Case, tensors: dict[str, Tensor], owners: dict[str, Case]) -> None:
    """The case's own tensors to its weight file, the others' names to ``weights_from.json``."""
    taken = defaultdict(list)
    for name, tensor in tensors.items():
        if owners[name] != case and tensor.nbytes >= SMALL:
            taken[owners[name].name].append(name)
    given = {name for names in taken.values() for name in names}
    path = case.weights_file or case.folder / "weights.safetensors"
    path.unlink(missing_ok=True)
    if own := {name: tensor for name, tensor in tensors.items() if name not in given}:
        save_file(own, path)
    if taken:
        listed = json.dumps(dict(sorted(taken.items())), indent=1)
        (case.folder / "weights_from.json").write_text(listed + "\n", encoding="utf-8")


def _digest(tensor: Tensor) -> str:
    return hashlib.sha256(tensor.contiguous().numpy().tobytes()).hexdigest()


if __name__ == "__main__":
    main()
