"""Makes a test of every stored output of every case in ``--official-outputs DIR`` or the folders of the project."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))


def pytest_generate_tests(metafunc):
    from adapters import find_adapter
    from official_cases import FULL_SET, SHIPPED, find_cases

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


def pytest_terminal_summary(terminalreporter):
    """How many outputs of each case were checked, and where labels fell the other way by rounding."""
    outcomes, ties = {}, []
    for outcome in ("passed", "failed", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            properties = dict(getattr(report, "user_properties", []))
            if "official case" in properties:
                outcomes.setdefault(properties["official case"], Counter())[outcome] += 1
                said = properties.get("result", "")
                if "labels differ" in said and not said.startswith("0 "):
                    ties.append(f"{report.nodeid}: {said}")
    if outcomes:
        terminalreporter.section("official outputs")
        for case, counts in outcomes.items():
            counted = ", ".join(f"{counts[outcome]} {outcome}" for outcome in ("passed", "failed", "skipped"))
            terminalreporter.line(f"{case}: {counted}")
        for tie in ties:
            terminalreporter.line(tie)
