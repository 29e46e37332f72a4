"""Makes a test of every stored output of every case in ``--official-outputs DIR`` or the folders of the project."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


def pytest_generate_tests(metafunc):
    from adapters import find_adapter
    from official_cases import FULL_SET, SHIPPED, find_cases

    if "official_case" not in metafunc.fixturenames:
        return
    given = metafunc.config.getoption("--official-outputs", default=None)
    folders = [Path(given).resolve()] if given else [SHIPPED, *([FULL_SET] if FULL_SET.is_dir() else [])]
    parameters, ids = [], []
    for folder in folders:
        for case in find_cases(folder):
            adapter = find_adapter(case)
            points = (adapter and adapter.outputs) or [None]
            parameters += [(case, adapter, point) for point in points]
            where = case.folder.relative_to(folder if folder == SHIPPED else folder.parent)
            where = f"{where}/{case.stem}" if case.stem else where
            ids += [f"{where}:{point or ('no outputs' if adapter else 'no adapter')}" for point in points]
    metafunc.parametrize(("official_case", "adapter", "point"), parameters, ids=ids)


def official_reports(terminalreporter):
    """(outcome, report, properties) of every output that a case holds."""
    for outcome in ("passed", "failed", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            properties = dict(getattr(report, "user_properties", []))
            if "official case" in properties:
                yield outcome, report, properties


def nothing_checked(config) -> bool:
    """Official outputs were asked for, and not one was held against ours."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not config.getoption("--official-outputs", default=None):
        return False
    return not any(outcome != "skipped" for outcome, _, _ in official_reports(reporter))


def pytest_sessionfinish(session):
    if session.exitstatus == pytest.ExitCode.OK and nothing_checked(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, config):
    """How many outputs of each case were checked, what was filled in, and where labels fell otherwise by rounding."""
    outcomes, filled, ties = {}, {}, []
    for outcome, report, properties in official_reports(terminalreporter):
        case, said = properties["official case"], properties.get("result", "")
        outcomes.setdefault(case, Counter())[outcome] += 1
        filled[case] = properties.get("filled in")
        if "labels differ" in said and not said.startswith("0 "):
            ties.append(f"{report.nodeid}: {said}")
    if outcomes:
        terminalreporter.section("official outputs")
        for case, counts in outcomes.items():
            counted = ", ".join(f"{counts[outcome]} {outcome}" for outcome in ("passed", "failed", "skipped"))
            terminalreporter.line(f"{case}: {counted}" + (f" (with {filled[case]})" if filled[case] else ""))
        for tie in ties:
            terminalreporter.line(tie)
    if nothing_checked(config):
        terminalreporter.line(f"NO OUTPUT WAS CHECKED in {config.getoption('--official-outputs')}", red=True)
