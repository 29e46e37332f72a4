"""Makes a test of every stored output of every case in ``--official-outputs DIR`` or the folders below."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "tests" / "data" / "official"
FULL_SET = ROOT.parent / "shared" / "fixtures"


def pytest_generate_tests(metafunc):
    from adapters import find_adapter
    from official_cases import find_cases

    if "official_case" not in metafunc.fixturenames:
        return
    given = metafunc.config.getoption("--official-outputs", default=None)
    folders = [Path(given)] if given else [SHIPPED, *([FULL_SET] if FULL_SET.is_dir() else [])]
    parameters, ids = [], []
    for folder in folders:
        for case in find_cases(folder):
            adapter = find_adapter(case)
            points = [None] if adapter is None else adapter.outputs()
            parameters += [(case, adapter, point) for point in points]
            where = "" if folder == SHIPPED else f"{folder.name}/"
            ids += [f"{where}{case.name}:{point or 'no adapter'}" for point in points]
    metafunc.parametrize(("official_case", "adapter", "point"), parameters, ids=ids)
