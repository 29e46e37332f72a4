import pytest
import torch

from ovdense.functional.panoptic import fill_stuff, panoptic_ids, paste_things

VOID = 5


def masks(*rows):
    return torch.tensor(rows, dtype=torch.bool)[:, None]


def paste(rows, labels, scores, **options):
    return paste_things(masks(*rows), torch.tensor(labels), torch.tensor(scores), VOID, **options)[0].tolist()


def test_the_better_mask_lies_in_front():
    rows = [1, 1, 1, 0, 0, 0], [0, 0, 1, 1, 1, 0]
    assert paste(rows, [2, 3], [0.9, 0.8]) == [1002, 1002, 1002, 2003, 2003, VOID]
    assert paste(rows, [2, 3], [0.8, 0.9]) == [2002, 2002, 1003, 1003, 1003, VOID]
    assert paste(rows, [2, 2], [0.5, 0.5]) == [1002, 1002, 1002, 2002, 2002, VOID]  # the first of equal ones


def test_masks_of_which_too_little_is_left_go():
    rows = [1, 1, 1, 0], [0, 1, 1, 1], [0, 0, 0, 0]
    assert paste(rows, [0, 1, 2], [0.9, 0.8, 0.7]) == [1000, 1000, 1000, VOID]
    assert paste(rows, [0, 1, 2], [0.9, 0.8, 0.7], min_visible=1 / 3) == [1000, 1000, 1000, 2001]


def test_no_masks_and_stuff_behind():
    none = paste_things(torch.zeros(0, 1, 3, dtype=torch.bool), torch.zeros(0).long(), torch.zeros(0), VOID)
    assert none.tolist() == [[VOID] * 3]
    assert fill_stuff(torch.tensor([[1002, VOID]]), torch.tensor([[4, 4]]), VOID).tolist() == [[1002, 4]]


def test_the_encoding_has_room_for_999_classes():
    with pytest.raises(ValueError, match="fewer than 1000 classes, got 1000"):
        paste_things(masks([1]), torch.tensor([0]), torch.tensor([1.0]), 1000)


def test_ids_and_segments_of_a_map():
    ids, segments = panoptic_ids(torch.tensor([[VOID, 2, 1002], [2002, 4, 2]]), VOID)
    assert ids.tolist() == [[0, 1, 3], [4, 2, 1]]
    assert segments == [
        dict(id=1, label=2, isthing=False),
        dict(id=2, label=4, isthing=False),
        dict(id=3, label=2, isthing=True),
        dict(id=4, label=2, isthing=True),
    ]
