import pytest
import torch

from ovdense.functional.background import background_by_objectness, background_by_threshold, classes_by_area


def test_threshold_and_objectness_send_pixels_to_the_background():
    labels = torch.tensor([[[1, 2], [3, 1]]])
    probability = torch.tensor([[[0.2, 0.5], [0.49, 0.9]]])
    assert background_by_threshold(labels, probability, 0.5).tolist() == [[[0, 2], [0, 1]]]
    assert background_by_threshold(labels, probability, 0.5, background_index=7).tolist() == [[[7, 2], [7, 1]]]
    assert background_by_objectness(labels, probability).tolist() == [[[0, 0], [0, 1]]]


def test_area_is_a_share_of_the_foreground():
    labels = torch.tensor([[[0] * 10, [1] * 6 + [2] * 3 + [3]]])
    assert classes_by_area(labels, 5, 0.1).tolist() == [[True, True, True, False, False]]
    assert classes_by_area(labels, 5, 0.1, background_index=1)[0].tolist() == [True, True, True, False, False]
    assert classes_by_area(torch.zeros(1, 2, 2, dtype=torch.uint8), 3, 0.1)[0].tolist() == [True, False, False]
    with pytest.raises(ValueError, match="labels reach 3 but there are 3 classes"):
        classes_by_area(labels, 3, 0.1)
