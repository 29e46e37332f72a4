"""The region head against values worked out by hand."""

import pytest
import torch
from mmengine.structures import InstanceData

from ovdense.models.roi_heads import RegionTextHead
from ovdense.structures import ClassEmbeddings, DenseFeatures, SegmentMasks, Vocabulary

# Two channels on a 2 x 2 grid of 16-pixel cells: the left column means class 0, the right one class 1.
DENSE = torch.tensor([[[2.0, 0], [2, 0]], [[0, 1.0], [0, 1]]])[None]
FEATURES = DenseFeatures(dense=DENSE, stride=16, image_size=(32, 32))
BOXES = torch.tensor([[0.0, 0, 16, 32], [16, 0, 32, 32], [0, 0, 32, 32]])


def embeddings(classes="a, b", rows=((1.0, 0.0), (0.0, 1.0)), **options):
    vocabulary = Vocabulary.parse(classes, **options)
    return ClassEmbeddings(torch.tensor(rows), torch.tensor(vocabulary.class_index), vocabulary, "test")


@pytest.mark.parametrize("pool", ["box", "mask", "roi_align"])
def test_pools_agree_on_whole_cells(pool):
    proposals = InstanceData(bboxes=BOXES, masks=torch.zeros(3, 32, 32, dtype=torch.bool))
    proposals.masks[0, :, :16] = proposals.masks[1, :, 16:] = proposals.masks[2] = True
    head = RegionTextHead(pool=pool, roi_size=2)
    regions = head.region_embeddings(FEATURES, proposals)
    torch.testing.assert_close(regions[2], torch.tensor([1.0, 0.5]))
    scores = head(FEATURES, proposals, embeddings())
    assert scores.argmax(1).tolist() == [0, 1, 0]
    torch.testing.assert_close(scores.sum(1), torch.ones(3))


def test_segment_masks_and_padding():
    labels = torch.tensor([[0, 1], [0, 1]])
    masks = SegmentMasks(labels, torch.eye(2, dtype=torch.bool), pixel=(16.0, 16.0))
    proposals = InstanceData(bboxes=BOXES[:2], masks=masks)
    regions = RegionTextHead(pool="mask").region_embeddings(FEATURES, proposals)
    assert regions.tolist() == [[2.0, 0.0], [0.0, 1.0]]
    padded = DenseFeatures(dense=DENSE, stride=16, image_size=(32, 16), padding=(16, 0, 0, 0))
    proposals = InstanceData(bboxes=torch.tensor([[0.0, 0, 16, 32]]))
    assert RegionTextHead().region_embeddings(padded, proposals).tolist() == [[0.0, 1.0]]


def test_normalized_cells_weigh_alike():
    proposals = InstanceData(bboxes=BOXES[2:])
    regions = RegionTextHead(normalize_cells=True).region_embeddings(FEATURES, proposals)
    torch.testing.assert_close(regions, torch.tensor([[0.5, 0.5]]))


def test_objectness_and_sigmoid():
    proposals = InstanceData(bboxes=BOXES[:1], scores=torch.tensor([0.25]))
    head = RegionTextHead(activation="none", objectness_weight=0.5)
    torch.testing.assert_close(head(FEATURES, proposals, embeddings()), torch.tensor([[0.5, 0.0]]))
    head = RegionTextHead(activation="sigmoid", logit_scale=2.0, logit_bias=-2.0)
    torch.testing.assert_close(head(FEATURES, proposals, embeddings())[0, 0], torch.tensor(0.5))


def test_synonyms_take_the_best_and_background_is_never_answered():
    two = embeddings({"x": "a", "y": "a", "z": "b"}, ((0.0, 1.0), (1.0, 0.0), (0.0, -1.0)))
    proposals = InstanceData(bboxes=BOXES)
    scores = RegionTextHead(activation="none")(FEATURES, proposals, two)
    torch.testing.assert_close(scores[:2, 0], torch.ones(2))
    with_background = embeddings("a", ((0.0, 1.0), (1.0, 0.0)), background=["wall"])
    index = with_background.vocabulary.background_index
    scores = RegionTextHead(logit_scale=10.0)(FEATURES, proposals, with_background)
    assert (scores[:, index] == 0).all() and scores[:, 1 - index].max() > 0.5


class TinyTower:
    """Calls a crop class 0 when it is dark, class 1 when it is bright."""

    def __call__(self, images):
        bright = images.mean((1, 2, 3))
        return DenseFeatures(dense=None, global_embedding=torch.stack([1 - bright, bright], 1))


def test_crops_correct_the_best_regions_and_halve_the_others():
    image = torch.zeros(3, 32, 32)
    image[:, :, 16:] = 1
    proposals = InstanceData(bboxes=BOXES)
    head = RegionTextHead(activation="none", crop_weight=0.5, crop_context=0.5, crop_size=8, crop_top=2)
    scores = head(FEATURES, proposals, embeddings(), image, TinyTower())
    torch.testing.assert_close(scores[:2], torch.eye(2))
    plain = RegionTextHead(activation="none")(FEATURES, proposals, embeddings())
    torch.testing.assert_close(scores[2], plain[2] / 2)
    with pytest.raises(ValueError, match="needs the image and the backbone"):
        head(FEATURES, proposals, embeddings())


def test_contrast_takes_off_the_surroundings():
    # Around the left column lies the right one, whose similarity with class 0 is 0.25 here.
    dense = torch.tensor([[[1.0, 0.25], [1, 0.25]], [[0, 0.75], [0, 0.75]]])[None]
    features = DenseFeatures(dense=dense, stride=16, image_size=(32, 32))
    head = RegionTextHead(similarity="posterior", activation="none", contrast_weight=1.0, contrast_context=3.0)
    scores = head(features, InstanceData(bboxes=BOXES), embeddings())
    torch.testing.assert_close(scores, torch.tensor([[0.75, 0.0], [0.0, 0.75], [0.625, 0.375]]))


def test_a_region_that_two_classes_claim_loses():
    features = DenseFeatures(dense=torch.full((1, 2, 2, 2), 0.5), stride=16, image_size=(32, 32))
    head = RegionTextHead(similarity="posterior", activation="none", share_weight=0.5)
    scores = head(features, InstanceData(bboxes=BOXES[2:]), embeddings())
    torch.testing.assert_close(scores, torch.full((1, 2), 0.5 * 0.5**0.5))


def test_calibration_ends_the_scoring():
    # All scores are 0.5 without it: 0.5^2 / (0.5^2 + 1^2) = 0.2.
    features = DenseFeatures(dense=torch.full((1, 2, 2, 2), 0.5), stride=16, image_size=(32, 32))
    head = RegionTextHead(similarity="posterior", activation="none", calibration=dict(midpoint=1.0, slope=2.0))
    scores = head(features, InstanceData(bboxes=BOXES[2:]), embeddings())
    torch.testing.assert_close(scores, torch.full((1, 2), 0.2))


def test_errors_and_empty_inputs():
    with pytest.raises(ValueError, match="got 'ring'"):
        RegionTextHead(pool="ring")
    with pytest.raises(ValueError, match=r"needs proposals with masks.*got \['bboxes'\]"):
        RegionTextHead(pool="mask")(FEATURES, InstanceData(bboxes=BOXES), embeddings())
    none = InstanceData(bboxes=BOXES[:0], scores=torch.zeros(0))
    for pool in ("box", "roi_align"):
        head = RegionTextHead(pool=pool, crop_weight=0.5, objectness_weight=0.5)
        assert head(FEATURES, none, embeddings()).shape == (0, 2)
