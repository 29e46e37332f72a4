"""One small file a method: how its stored outputs are derived with ovdense.

An adapter names the methods that it knows in ``methods`` (parts of the case's folder name or of ``method`` in its meta
file) and derives an output by its name.
"""

from __future__ import annotations

import importlib
import pkgutil

from official_cases import Case

from adapters.base import Adapter

for module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"adapters.{module.name}")


def find_adapter(case: Case) -> Adapter | None:
    """The adapter of a case: by folder name, else by the method in the meta file; the longest match wins."""
    for text in (case.name, str(case.meta.get("method", ""))):
        simple = text.lower().replace("-", "_").replace(" ", "_")
        found = [(len(name), kind) for kind in Adapter.kinds for name in kind.methods if matches(name, simple)]
        if found:
            return max(found, key=lambda pair: pair[0])[1](case)
    return None


def matches(name: str, text: str) -> bool:
    """Whole words only, so that ``sclip`` does not claim ``falip_sclipper``."""
    return f"_{name}_" in f"_{text}_" or text.startswith(f"{name}_") or text.startswith(f"{name}(")
