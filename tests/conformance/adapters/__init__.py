"""One small file a method: how its stored outputs are derived with ovdense.

An adapter names the methods that it knows in ``methods`` (parts of the case's folder name or of ``method`` in its meta
file) and derives an output by its name.
"""

from __future__ import annotations

import importlib
import pkgutil

from official_cases import Case, closest_name

from adapters.base import Adapter

for module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"adapters.{module.name}")


def find_adapter(case: Case) -> Adapter | None:
    """The adapter of a case: by folder name, else by the method in the meta file; the longest match wins."""
    kinds = {name: kind for kind in Adapter.kinds for name in kind.methods}
    name = closest_name((case.name, str(case.meta.get("method", ""))), kinds)
    return kinds[name](case) if name else None
