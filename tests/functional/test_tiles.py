"""Cells and tiles of an axis: by hand, and every output rebuilt from its two knots."""

import pytest
import torch

from ovdense.functional.resample import AxisMatrix, bilinear_axis, identity_axis
from ovdense.functional.tiles import plan_tiles
from ovdense.functional.windows import whole_axis_matrix, window_axis_matrix


def test_two_inputs_and_eight_outputs_by_hand():
    # Positions 0 0 .125 .375 .625 .875 1 1 (clamped); one cell, halved once: its first part holds positions below 0.5.
    plan = plan_tiles(bilinear_axis(2, 8))
    assert plan.num_cells == 1
    tiles = plan.tiles(1)
    assert tiles.part.tolist() == [0, 0, 1, 1]
    assert tiles.tile.tolist() == [
        0,
        0,
        0,
        1,
        2,
        2,
        3,
        3,
    ]  # cut after 8 / 2 / 2 + 1 outputs; the last two repeat knot 1
    assert tiles.place.tolist() == [0, 1, 2, 0, 0, 1, 0, 1]
    assert tiles.near.tolist() == [0, 0, 0, 1]
    assert tiles.far_weight[:, 0].tolist() == [0.0, 0.0, 0.125]
    assert tiles.far_weight[:, 1].tolist() == [0.375, 0.375, 0.375]  # padded with its last output


MATRICES = {
    "one resize": bilinear_axis(14, 224),
    "odd factor": bilinear_axis(13, 207),
    "corners aligned": bilinear_axis(9, 100, align_corners=True),
    "one input": bilinear_axis(1, 40),
    "identity": identity_axis(12),
    "shrinking": bilinear_axis(50, 23),
    "two resizes": bilinear_axis(64, 300).after(bilinear_axis(4, 64)),
    "taps without weight": whole_axis_matrix(64, 4, output=64),
    "windows": window_axis_matrix(160, 64, 32, 4, output=150),
    "long": window_axis_matrix(1000, 448, 224, 28, output=3000),
    "not linear": AxisMatrix(torch.arange(60).remainder(7).view(20, 3), torch.full((20, 3), 1 / 3), 7),
}


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("level", [0, 1, 3])
def test_every_output_is_made_of_two_knots(name, level):
    matrix = MATRICES[name]
    plan = plan_tiles(matrix)
    knots = torch.eye(matrix.size_in) if plan.knots is None else plan.knots.dense()
    tiles = plan.tiles(level)
    near_weight, far_weight = tiles.near_weight[tiles.place, tiles.tile], tiles.far_weight[tiles.place, tiles.tile]
    outputs = near_weight[:, None] * knots[tiles.near[tiles.tile]] + far_weight[:, None] * knots[tiles.far[tiles.tile]]
    torch.testing.assert_close(outputs, matrix.dense(), atol=3e-5, rtol=0)
    assert (near_weight >= 0).all() and (far_weight >= 0).all()


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("level", [0, 2])
def test_outputs_lie_in_their_part_of_their_cell(name, level):
    plan = plan_tiles(MATRICES[name])
    tiles = plan.tiles(level)
    first = tiles.cell * plan.stride
    # Places of the two knots in the cell, 0 or 1, weighted: where the output lies.
    place = tiles.near_weight * (tiles.near - first) + tiles.far_weight * (tiles.far - first)
    if plan.num_knots > 1:
        assert (place >= tiles.part / 2**level - 1e-6).all()
        assert (place <= (tiles.part + 1) / 2**level + 1e-6).all()
    assert int(first.max()) + 1 < max(plan.num_knots, 2)


def test_windows_have_long_cells():
    # 448 pixels in two windows of 28 patches each 16 pixels: cells cannot be much shorter than 16 x 512 / 448.
    plan = plan_tiles(window_axis_matrix(592, 448, 224, 28, output=683))
    assert plan.cell_length > 8
