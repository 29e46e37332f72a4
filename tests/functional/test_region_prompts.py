"""Red circle, blur and FALIP's dome on pictures small enough to count pixels."""

import pytest
import torch

from ovdense.functional.region_prompts import blur_outside, box_masks, foveal_bias, foveal_dome, outline_ellipse


def test_the_ellipse_touches_the_sides_of_its_box_and_leaves_the_rest_alone():
    image = torch.zeros(3, 40, 60)
    (shown,) = outline_ellipse(image, torch.tensor([[10.0, 10, 50, 30]]), torch.tensor([1.0, 0.5, 0.25]), width=2)
    drawn = shown[0] > 0
    rows, columns = torch.nonzero(drawn.any(1)).flatten(), torch.nonzero(drawn.any(0)).flatten()
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (9, 30, 9, 50)
    assert not drawn[20, 30] and not drawn[10, 10] and drawn[10, 30] and drawn[20, 10]
    assert torch.equal(shown[:, 10, 30], torch.tensor([1.0, 0.5, 0.25]))


def test_the_blur_keeps_the_region_and_the_mean_outside():
    image = torch.rand(3, 20, 30, generator=torch.manual_seed(0))
    box = torch.tensor([[5.0, 5, 15, 15]])
    (shown,) = blur_outside(image, box, sigma=3)
    inside = box_masks(box, (20, 30))[0]
    assert torch.equal(shown[:, inside], image[:, inside])
    assert shown[:, ~inside].std() < 0.5 * image[:, ~inside].std()
    (masked,) = blur_outside(image, inside[None], sigma=3)
    assert torch.equal(masked, shown)
    flat = torch.full((3, 8, 8), 0.3)
    torch.testing.assert_close(blur_outside(flat, box[:0], 1.0).shape, torch.Size([0, 3, 8, 8]))
    torch.testing.assert_close(blur_outside(flat, torch.tensor([[0.0, 0, 1, 1]]), 1.0)[0], flat)
    with pytest.raises(ValueError, match="above 0 pixels, got 0"):
        blur_outside(flat, box, 0)


def test_the_dome_covers_the_cells_of_the_box_on_any_grid():
    boxes = torch.tensor([[32.0, 0, 64, 16], [95, 31, 96, 32], [33, 17, 34, 18]])
    bias = foveal_bias(boxes, (32, 96), (2, 6))
    assert (bias > 0).int().tolist() == [
        [[0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 0, 0]],
        [[0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1]],
        [[0, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0]],
    ]
    quirk = foveal_bias(boxes[:1], (32, 96), (2, 6), official_quirks=True)
    assert (quirk[0] > 0).int().tolist() == [[0, 1, 1, 1, 0, 0], [0, 0, 0, 0, 0, 0]]


def test_the_dome_rises_from_nothing_to_its_strength():
    dome = foveal_dome((5, 5), strength=0.3)
    assert dome[2, 2] == pytest.approx(0.3) and dome[0, 0] < 2e-3
    assert torch.equal(dome, dome.flip(0)) and torch.equal(dome, dome.T)
    assert foveal_dome((1, 1)).item() == pytest.approx(0.2)
