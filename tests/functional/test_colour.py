"""Lab values that colour science tables give."""

import pytest
import torch

from ovdense.functional.colour import rgb_to_lab

# sRGB primaries in CIE L*a*b*, D65, 2 degree observer (rounded to the digits of published tables).
TABLE = {
    (0, 0, 0): (0, 0, 0),
    (1, 1, 1): (100, 0, 0),
    (1, 0, 0): (53.24, 80.09, 67.20),
    (0, 1, 0): (87.73, -86.18, 83.18),
    (0, 0, 1): (32.30, 79.19, -107.86),
    (0.5, 0.5, 0.5): (53.39, 0, 0),
}


@pytest.mark.parametrize("rgb", TABLE)
def test_known_colours(rgb):
    image = torch.tensor(rgb, dtype=torch.float32)[None, :, None, None].expand(2, 3, 4, 5)
    expected = torch.tensor(TABLE[rgb], dtype=torch.float32)[None, :, None, None].expand(2, 3, 4, 5)
    torch.testing.assert_close(rgb_to_lab(image), expected, atol=0.03, rtol=0)


def test_other_channels_are_refused():
    with pytest.raises(ValueError, match=r"\(4, 8, 8\)"):
        rgb_to_lab(torch.rand(4, 8, 8))
