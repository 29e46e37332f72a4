"""Pictures of objects as prompts: the blur is OpenCV's, boxes and squares are worked out by hand."""

import cv2
import pytest
import torch

from ovdense.functional.visual_prompts import engineer_prompt, gaussian_blur, object_box, pad_to_square


@pytest.mark.parametrize("size", [(40, 40), (21, 50), (5, 9)])
def test_blur_is_opencvs(size):
    image = torch.randn(3, *size, generator=torch.Generator().manual_seed(0))
    expected = cv2.GaussianBlur(image.permute(1, 2, 0).numpy(), (15, 15), 3)
    torch.testing.assert_close(gaussian_blur(image, 3.0).permute(1, 2, 0).numpy(), expected, atol=1e-5, rtol=1e-5)


def test_box_has_a_margin_and_stays_inside():
    mask = torch.zeros(20, 60)
    mask[4:14, 40:60] = 1
    assert object_box(mask) == (40, 60, 4, 14)
    assert object_box(mask, 0.1) == (38, 60, 3, 15)
    assert object_box(torch.zeros(20, 60)) == (0, 60, 0, 20)


def test_the_official_box_takes_height_for_width():
    mask = torch.zeros(20, 60)
    mask[4:14, 40:50] = 1
    assert object_box(mask, official_quirks=True)[1] == 10  # 20 - (60 - 50)
    square = torch.zeros(30, 30)
    square[4:14, 3:9] = 1
    assert object_box(square, 0.2, official_quirks=True) == object_box(square, 0.2)


def test_prompt_dims_what_lies_outside():
    image, mask = torch.ones(3, 8, 12), torch.zeros(8, 12)
    mask[2:4, 5:9] = 1
    whole = engineer_prompt(image, mask, context=None, blur=0)
    assert whole[0, 3, 6] == 1 and whole[0, 0, 0] == pytest.approx(0.1)
    cut = engineer_prompt(image, mask, context=0.0, size=None)
    assert cut.shape == (3, 4, 4)
    assert cut[0].tolist() == [[0] * 4, [1] * 4, [1] * 4, [0] * 4]
    assert engineer_prompt(image, mask, size=16).shape == (3, 16, 16)


def test_squares_are_centred():
    assert pad_to_square(torch.ones(1, 3, 2))[0].tolist() == [[1, 1, 0]] * 3


def test_masks_must_fit():
    with pytest.raises(ValueError, match=r"got \(3, 8, 12\) and \(8, 8\)"):
        engineer_prompt(torch.ones(3, 8, 12), torch.ones(8, 8))
