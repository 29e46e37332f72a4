"""Everything segmented and named with no names given, on a drawn scene."""

import numpy as np
import pytest
import torch

from ovdense.apis import Segmenter
from ovdense.apis.demo import scene
from ovdense.models.segment_trees import SegmentTree
from ovdense.models.segmentors.zero_guidance import stretch_to_cells, word_list


@pytest.fixture(scope="module")
def segmenter():
    return Segmenter.from_pretrained("scenes", method="zero-guidance")


def test_no_names_are_needed_and_others_can_be_given(segmenter):
    show = scene()
    result = segmenter(show.image)
    assert result.labels.shape == show.image.shape[:2] and len(result.classes) == 143
    assert 2 <= len(result.areas()) <= 20
    other = segmenter(show.image, ["grass", "car"])
    assert set(other.areas()) <= {"grass", "car"}
    segmenter.set_vocabulary("scenes-143")


def test_a_picture_is_the_same_alone_in_a_batch_and_flipped(segmenter):
    model = segmenter.model
    images = torch.randn(2, 3, 50, 70, generator=torch.manual_seed(0))
    images[1, :, :, 35:] += 2
    both, alone = model.predict(images), model.predict(images[1:])
    assert torch.equal(both[1].pred_sem_seg.data, alone[0].pred_sem_seg.data)
    (encoded,) = model.encode(images[1:], [dict(flip=True, flip_direction="horizontal", ori_shape=(50, 70))])
    (flipped,) = model.decode([encoded])
    assert torch.equal(flipped.pred_sem_seg.data.flip(-1), alone[0].pred_sem_seg.data)


def test_nodes_on_another_grid_never_vanish():
    labels = torch.tensor([[0, 0, 0, 0], [0, 0, 0, 1]])
    members = torch.tensor([[True, False], [False, True], [True, True]])
    masks = SegmentTree(labels, [(0, 1)], members).node_masks((1, 2))
    assert masks.tolist() == [[[1, 1]], [[0, 1]], [[1, 1]]]


def test_words_are_taken_together_and_pictures_stretched_to_cells():
    words = word_list(["coco-80", "voc-20"])
    assert len(words) == len(set(words)) and {"person", "aeroplane"} <= set(words)
    assert stretch_to_cells(torch.zeros(1, 3, 17, 32), 16).shape == (1, 3, 32, 32)
    assert np.shape(stretch_to_cells(torch.zeros(1, 3, 16, 32), 16)) == (1, 3, 16, 32)
