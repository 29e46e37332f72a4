"""Our outputs against those of the official code, point by point, for every case that is found.

``pytest tests/conformance --official-outputs DIR`` checks cases from elsewhere; ``-rs`` lists what could not be
checked.
"""

import pytest
from comparison import FEATURE_ATOL, check


def test_official_output(official_case, adapter, point, request, record_property):
    record_property("official case", request.node.callspec.id.rpartition(":")[0])
    record_property("filled in", official_case.filled_in())
    if adapter is None:
        pytest.skip(f"no adapter for {official_case.name}: {official_case.meta.get('method', 'method not stated')}")
    if point is None:
        pytest.skip(f"{official_case.name} holds no outputs")
    if official_case.tag_of(point) is None and adapter.needs_image(point):
        pytest.skip(f"{official_case.name} holds no input for {point}")
    actual = adapter.derive(point)
    if actual is None:
        pytest.skip(f"the adapter of {official_case.name} does not derive {point}")
    tolerance = adapter.tolerances.get(point, FEATURE_ATOL)
    said = check(actual, official_case.tensors[point], tolerance, official_case.rounding(point))
    record_property("result", said)
