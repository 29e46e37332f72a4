"""Semantic, panoptic and instance results of masks: by hand, at every size, and in bounded memory."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from ovdense.functional import mask_postprocess
from ovdense.functional.mask_postprocess import (
    ResizedMasks,
    mask_boxes,
    panoptic_labels,
    panoptic_segments,
    semantic_labels,
    semantic_scores,
    top_instances,
)
from ovdense.functional.proposal_scores import binary_semantic_labels

THINGS = torch.tensor([False, True, False])  # a thing between two stuff classes


def boxes_to_logits(*boxes, size=(4, 6), high=8.0):
    masks = torch.full((len(boxes), *size), -high)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes):
        mask[y1:y2, x1:x2] = high
    return masks


def sure(*labels, classes=3, p=0.9):
    """(Q,K+1) probabilities, ``p`` on one class (or void, K) each."""
    probabilities = torch.full((len(labels), classes + 1), (1 - p) / classes)
    probabilities[torch.arange(len(labels)), torch.tensor(labels)] = p
    return probabilities


def test_stuff_of_a_class_is_one_segment_and_things_are_many_in_any_class_order():
    masks = boxes_to_logits((0, 0, 2, 4), (2, 0, 4, 2), (2, 2, 4, 4), (4, 0, 6, 4))
    segment_map, segments = panoptic_segments(sure(0, 1, 1, 0), masks, THINGS)
    assert [(one["id"], one["label"], one["isthing"]) for one in segments] == [
        (1, 0, False),
        (2, 1, True),
        (3, 1, True),
    ]
    assert segment_map.tolist() == [[1, 1, 2, 2, 1, 1]] * 2 + [[1, 1, 3, 3, 1, 1]] * 2
    labels = panoptic_labels(segment_map, segments, 3)
    assert labels.tolist() == [[0, 0, 1001, 1001, 0, 0]] * 2 + [[0, 0, 2001, 2001, 0, 0]] * 2


def test_hidden_weak_and_void_proposals_leave_void():
    masks = boxes_to_logits((0, 0, 4, 4), (0, 0, 2, 4), (4, 0, 6, 2), (4, 2, 6, 4))
    probabilities = sure(0, 1, 3, 2)
    probabilities[1] = torch.tensor([0.01, 0.95, 0.02, 0.02])  # takes half of the first mask
    probabilities[3] = torch.tensor([0.2, 0.2, 0.4, 0.2])
    segment_map, segments = panoptic_segments(probabilities, masks, THINGS, score_thr=0.5)
    assert [one["label"] for one in segments] == [1]  # the first keeps 8 of 16 pixels, the third is void, the last weak
    assert segment_map.tolist() == [[1, 1, 0, 0, 0, 0]] * 4
    assert panoptic_labels(segment_map, segments, 3)[0].tolist() == [1001, 1001, 3, 3, 3, 3]
    kept = panoptic_segments(probabilities, masks, THINGS, score_thr=0.5, overlap_thr=0.5)[1]
    assert [one["label"] for one in kept] == [0, 1]


def test_no_proposal_one_proposal_one_class():
    one = torch.tensor([True])
    nothing, segments = panoptic_segments(torch.zeros(0, 2), torch.zeros(0, 3, 4), one)
    assert not segments and nothing.tolist() == [[0] * 4] * 3
    assert semantic_labels(torch.zeros(0, 1), torch.zeros(0, 3, 4)).tolist() == [[0] * 4] * 3
    assert len(top_instances(torch.zeros(0, 1), torch.zeros(0, 3, 4), one).scores) == 0
    low = ResizedMasks.resize(torch.zeros(0, 2, 2), padded=(8, 8), valid=(6, 8), size=(12, 16))
    assert semantic_labels(torch.zeros(0, 1), low).shape == (12, 16)
    masks = boxes_to_logits((1, 0, 3, 3), size=(3, 4))
    segment_map, _ = panoptic_segments(sure(0, classes=1), masks, one)
    assert segment_map.tolist() == [[0, 1, 1, 0]] * 3
    found = top_instances(sure(0, classes=1)[:, :1], masks, one)
    assert found.boxes.tolist() == [[1.0, 0.0, 3.0, 3.0]] and found.labels.tolist() == [0]
    void = panoptic_segments(sure(1, classes=1), masks, one)
    assert not void[1] and not void[0].any()


def test_instances_by_hand():
    masks = torch.tensor([[[2.0, -1.0], [0.0, -1.0]], [[-1.0, -1.0], [-1.0, -1.0]]])
    probabilities = torch.tensor([[0.1, 0.6, 0.2], [0.05, 0.3, 0.05]])
    found = top_instances(probabilities, masks, THINGS, max_per_img=3)  # 0.6, 0.3 and the stuff pair 0.2
    order = found.scores.argsort(descending=True)
    expected = 0.6 * torch.tensor(2.0).sigmoid() / (1 + 1e-6)
    assert torch.allclose(found.scores[order], torch.tensor([float(expected), 0.0]))  # an empty mask is worth nothing
    assert found.labels.tolist() == [1, 1] and found.index[order].tolist() == [0, 1]
    assert found.masks[order][0].tolist() == [[True, False], [False, False]]
    assert len(top_instances(probabilities, masks, THINGS, max_per_img=1).scores) == 1


def test_boxes_are_tight():
    masks = torch.zeros(2, 5, 7, dtype=torch.bool)
    masks[0, 1:4, 2:7] = True
    assert mask_boxes(masks).tolist() == [[2.0, 1.0, 7.0, 4.0], [0.0] * 4]
    assert mask_boxes(masks[:0]).shape == (0, 4)


@pytest.mark.parametrize("flip", [(False, False), (True, False), (True, True)])
def test_masks_are_resized_as_the_official_code_does(flip):
    logits = torch.randn(5, 8, 12)
    masks = ResizedMasks.resize(logits, padded=(32, 48), valid=(29, 41), size=(50, 37), flip=flip)
    full = F.interpolate(logits[None], (32, 48), mode="bilinear")[..., :29, :41]
    full = full.flip([dim for dim, mirrored in zip((2, 3), flip) if mirrored])
    expected = F.interpolate(full, (50, 37), mode="bilinear")[0]
    assert torch.allclose(masks.full(), expected, atol=1e-5)
    assert torch.allclose(torch.cat([part for _, part in masks.bands()], 1), expected, atol=1e-5)
    assert torch.allclose(torch.cat([part for _, part in masks.chunks()]), expected, atol=1e-5)


def test_bands_and_chunks_change_nothing(monkeypatch):
    torch.manual_seed(0)
    masks = ResizedMasks.resize(torch.randn(9, 8, 12) * 3, padded=(32, 48), valid=(30, 45), size=(61, 90))
    probabilities = torch.randn(9, 4).mul(3).softmax(-1)

    def every():
        segment_map, segments = panoptic_segments(probabilities, masks, THINGS, overlap_thr=0.3)
        found = top_instances(probabilities[:, :3], masks, THINGS)
        return semantic_labels(probabilities[:, :3], masks), segment_map, str(segments), found.masks, found.scores

    whole = every()
    monkeypatch.setattr(mask_postprocess, "BAND_ELEMENTS", 1)
    for one, other in zip(whole, every()):
        assert one == other if isinstance(one, str) else torch.allclose(one, other)
    assert len(set(whole[1].unique().tolist())) > 2


def test_847_classes_of_a_picture_in_bands(monkeypatch):
    """No tensor of the semantic result is larger than a band and the label map."""
    torch.manual_seed(0)
    masks = ResizedMasks.resize(torch.randn(30, 16, 24), padded=(64, 96))
    probabilities = torch.rand(30, 847)
    scores = semantic_scores(probabilities, masks)
    monkeypatch.setattr(mask_postprocess, "BAND_ELEMENTS", (30 + 847) * 96 * 4)
    sizes = [part.shape for _, part in mask_postprocess.semantic_bands(probabilities, masks)]
    assert len(sizes) == 16 and max(size.numel() for size in sizes) == 847 * 4 * 96
    labels = semantic_labels(probabilities, masks)
    assert torch.equal(labels, scores.argmax(0)) and labels.max() > 255
    assert torch.equal(labels, torch.from_numpy(labels.numpy().astype("uint16").astype("int64")))


class Largest(TorchDispatchMode):
    """Counts the numbers of the largest tensor that an operation makes."""

    numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, (tuple, list)) else (out,):
            if isinstance(tensor, torch.Tensor):
                self.numbers = max(self.numbers, tensor.untyped_storage().nbytes() // tensor.element_size())
        return out


@pytest.mark.parametrize("labels_of", [semantic_labels, partial(binary_semantic_labels, threshold=0.5)])
def test_neither_classes_nor_proposals_exist_at_the_size_of_the_picture(monkeypatch, labels_of):
    """40 classes and 20 proposals: together a band of 4 lines, where 1 x 64 x 96 is the label map."""
    torch.manual_seed(0)
    masks = ResizedMasks.resize(torch.randn(20, 8, 12), padded=(64, 96))
    probabilities = torch.rand(20, 40)
    monkeypatch.setattr(mask_postprocess, "BAND_ELEMENTS", (20 + 40) * 96 * 4)
    with Largest() as largest:
        labels = labels_of(probabilities, masks)
    assert labels.shape == (64, 96) and largest.numbers == 40 * 4 * 96  # not 20 x 64 x 96, and not 40 x 64 x 96
    full = masks.full().sigmoid()
    full = full if labels_of is semantic_labels else (full > 0.5).float()
    expected = torch.einsum("qk,qhw->khw", probabilities, full).argmax(0)
    assert (labels == expected).float().mean() > 0.999


def test_half_precision_goes_in_and_the_encoding_has_a_limit():
    masks, probabilities = boxes_to_logits((0, 0, 3, 4), (3, 0, 6, 4)).half(), sure(0, 2).half()
    assert semantic_labels(probabilities[:, :3], masks)[0].tolist() == [0, 0, 0, 2, 2, 2]
    with pytest.raises(ValueError, match=r"fewer than 1000 classes, got 1203.*panoptic_on=False"):
        panoptic_labels(torch.zeros(2, 2, dtype=torch.int32), [], 1203)
    with pytest.raises(ValueError, match=r"\(Q, H, W\), got \(4, 6\)"):
        semantic_labels(probabilities[:, :3], masks[0])
