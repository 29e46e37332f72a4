"""Our outputs against those of the official code, point by point, for every case that is found.

``pytest tests/conformance --official-outputs DIR`` checks cases from elsewhere; ``-rs`` lists what could not be
checked.
"""

import pytest
from comparison import FEATURE_ATOL, check


def test_official_output(official_case, adapter, point, record_property):
    record_property("official case", official_case.name)
    if adapter is None:
        pytest.skip(f"no adapter for {official_case.name}: {official_case.meta.get('method', 'method not stated')}")
    if official_case.tag_of(point) is None and adapter.needs_image(point):
        pytest.skip(f"{official_case.name} holds no input for {point}")
    actual = adapter.derive(point)
    if actual is None:
        pytest.skip(f"the adapter of {official_case.name} does not derive {point}")
    said = check(actual, official_case.tensors[point], adapter.tolerances.get(point, FEATURE_ATOL))
    record_property("result", said)
