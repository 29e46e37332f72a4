"""Refinement by prompts against a stub whose answers are known, worked out by hand on 8 x 8 pixels."""

import sys

import pytest
import torch

from ovdense.models.segmentors.prompt_refinement import PromptRules, class_regions, refine_by_prompts
from ovdense.models.segmentors.sam_prompts import SAMPrompts
from ovdense.registry import MODELS

RULES = dict(coarse_threshold=0.2, min_area=4, min_iou=0.9)


def halves():
    """Class 0 left and class 1 right of column 4, at 0.8 to 0.2; class 1 is surest about rows 2, 3 and columns 6, 7."""
    labels = torch.zeros(8, 8, dtype=torch.int64)
    labels[:, 4:] = 1
    probabilities = torch.where(labels == torch.arange(2)[:, None, None], 0.8, 0.2)
    probabilities[1, 2:4, 6:8] = 0.9
    return labels, probabilities


class Stub:
    """Answers by class in the order of asking: (columns that the mask covers, its logit, predicted IoU)."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def __call__(self, class_map, boxes, points):
        self.asked.append((class_map, boxes, points))
        columns, logit, iou = self.answers.pop(0)
        masks = torch.full((len(boxes), 8, 8), -5.0)
        masks[:, :, columns] = logit
        return masks, torch.full((len(boxes),), iou)


def refined(stub, **rules):
    return refine_by_prompts(*halves(), stub, PromptRules(**{**RULES, **rules}))


def test_each_class_asks_with_boxes_and_surest_points_in_pixels_of_the_picture():
    stub = Stub((slice(0, 4), 3.0, 0.95), (slice(4, 8), 3.0, 0.95))
    assert torch.equal(refined(stub), halves()[0])
    (left_map, left_box, left_point), (right_map, right_box, right_point) = stub.asked
    assert left_map.shape == right_map.shape == (4, 4)  # means of 2 x 2 pixels
    torch.testing.assert_close(right_map[1], torch.tensor([0.2, 0.2, 0.8, 0.9]))
    assert left_box.tolist() == [[0, 0, 2, 6]] and left_point.tolist() == [[0, 0]]
    assert right_box.tolist() == [[4, 0, 6, 6]] and right_point.tolist() == [[6, 2]]


def test_masks_take_the_place_of_regions_and_uncovered_pixels_keep_their_label():
    stub = Stub((slice(0, 5), 2.0, 0.95), (slice(6, 8), 2.0, 0.95))
    result = refined(stub)
    # column 4 is covered by the mask of class 0 alone, column 5 by none
    assert result[0].tolist() == [0, 0, 0, 0, 0, 1, 1, 1]
    assert torch.equal(result, result[:1].expand(8, 8))


def test_where_masks_overlap_the_larger_product_wins():
    """Column 4: sigmoid(2) * 0.2 = 0.18 of class 0 against sigmoid(0.1) * 0.8 = 0.42 of class 1."""
    assert refined(Stub((slice(0, 5), 2.0, 0.95), (slice(4, 8), 0.1, 0.95)))[0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    # column 3: sigmoid(0.1) * 0.8 = 0.42 of class 0 against sigmoid(9) * 0.2 = 0.20 of class 1
    assert refined(Stub((slice(0, 4), 0.1, 0.95), (slice(3, 8), 9.0, 0.95)))[0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


def test_a_region_whose_answer_does_not_count_keeps_its_labels():
    answers = (slice(0, 6), 2.0, 0.95), (slice(2, 8), 2.0, 0.5)
    assert torch.equal(refined(Stub(*answers)), halves()[0])
    # as the official code does: the neighbour's mask flows in
    assert refined(Stub(*answers), keep_failed=False)[0].tolist() == [0, 0, 0, 0, 0, 0, 1, 1]
    assert torch.equal(
        refined(Stub((slice(0, 8), 2.0, 0.9), (slice(0, 8), 2.0, 0.1))), halves()[0]
    )  # exceed, not reach


def test_unsure_pixels_and_small_regions_do_not_ask():
    labels, probabilities = halves()
    stub = Stub((slice(0, 4), 3.0, 0.95))
    probabilities[1, :, 4:] = 0.3
    refine_by_prompts(labels, probabilities, stub, PromptRules(coarse_threshold=0.5, min_area=4, min_iou=0.9))
    assert len(stub.asked) == 1 and stub.asked[0][1].tolist() == [[0, 0, 2, 6]]
    silent = Stub()
    assert torch.equal(refine_by_prompts(*halves(), silent, PromptRules(**{**RULES, "min_area": 9})), labels)
    assert silent.asked == []


def test_regions_are_8_connected_and_in_reading_order():
    inside = torch.tensor([[0, 1, 0, 0, 1], [1, 0, 0, 0, 1], [0, 0, 0, 0, 0], [0, 0, 1, 0, 0]]).bool()
    probability = torch.arange(20.0).view(4, 5) / 20
    regions = class_regions(inside, probability, 2)
    assert regions.boxes.tolist() == [[0, 0, 1, 1], [4, 0, 4, 1]]
    assert regions.points.tolist() == [[0, 1], [4, 1]]
    assert regions.masks.flatten(1).sum(1).tolist() == [2, 2]
    assert class_regions(inside, probability, 3).masks.shape == (0, 4, 5)


def test_odd_sizes_scale_to_the_picture():
    labels, probabilities = torch.zeros(7, 11, dtype=torch.int64), torch.full((1, 7, 11), 0.9)
    asked = []

    def prompted(class_map, boxes, points):
        asked.append(boxes)
        return torch.ones(1, 7, 11), torch.ones(1)

    assert refine_by_prompts(labels, probabilities, prompted, PromptRules(min_area=1)).shape == (7, 11)
    torch.testing.assert_close(asked[0], torch.tensor([[0.0, 0.0, 4 * 11 / 5, 2 * 7 / 3]]))


def test_the_missing_package_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr("ovdense.models.segmentors.sam_prompts.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'ovdense\[sam\]'"):
        SAMPrompts(checkpoint=tmp_path / "sam.pth")


def test_the_missing_checkpoint_is_named(monkeypatch):
    monkeypatch.setattr("ovdense.models.segmentors.sam_prompts.find_spec", lambda name: True)
    with pytest.raises(FileNotFoundError, match=r"'no/sam\.pth': download the vit_b weights"):
        SAMPrompts(checkpoint="no/sam.pth")
    with pytest.raises(ValueError, match="kind of SAM must be one of"):
        SAMPrompts(checkpoint="no/sam.pth", kind="vit_x")


class Recorder:
    """Stands in for SAMPrompts inside the segmentor: keeps what it is given, and flips the labels."""

    refines_labels = True

    def refine_labels(self, labels, probabilities, picture):
        self.given = labels, probabilities, picture
        return 1 - labels


@pytest.mark.filterwarnings("ignore:no pretrained weights")
def test_the_segmentor_hands_over_labels_probabilities_and_the_picture():
    vision = dict(image_size=32, layers=2, width=32, head_width=16, patch_size=16)
    text = dict(context_length=77, vocab_size=49408, width=64, heads=1, layers=1)
    model = MODELS.build(
        dict(
            type="OpenVocabSegmentor",
            backbone=dict(
                type="CLIPBackbone", model=dict(embed_dim=24, vision_cfg=vision, text_cfg=text), attention="qq"
            ),
            decode_head=dict(type="PixelTextHead"),
            vocabulary=["cat", "dog"],
            class_embeddings=torch.randn(2, 24),
            refine=dict(type="PAMR", num_iter=1, dilations=(1,)),
        )
    )
    model.refine = Recorder()
    picture = torch.randint(0, 256, (3, 40, 56))
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (model.backbone.image_mean, model.backbone.image_std))
    images = torch.stack([(picture / 255 - mean) / std] * 2)
    metas = [dict(ori_shape=(40, 56)), dict(ori_shape=(40, 56), flip=True, flip_direction="horizontal")]
    _, flipped = model.decode(model.encode(images, metas))
    labels, probabilities, seen = model.refine.given
    assert torch.equal(flipped.pred_sem_seg.data[0].long(), 1 - labels)
    assert seen.dtype == torch.uint8 and torch.equal(seen.permute(2, 0, 1), picture.flip(-1).byte())
    assert probabilities.shape == (2, 40, 56) and torch.equal(probabilities.argmax(0), labels)
    torch.testing.assert_close(probabilities.sum(0), torch.ones(40, 56))


def tiny_sam():
    """A SAM of the package with random weights, 64 x 64 pixels."""
    sam = pytest.importorskip("segment_anything.modeling")
    torch.manual_seed(0)
    encoder = dict(img_size=64, patch_size=16, embed_dim=32, depth=1, num_heads=2, out_chans=32, use_rel_pos=True)
    transformer = sam.TwoWayTransformer(depth=1, embedding_dim=32, mlp_dim=32, num_heads=2)
    return sam.Sam(
        sam.ImageEncoderViT(**encoder),
        sam.PromptEncoder(embed_dim=32, image_embedding_size=(4, 4), input_image_size=(64, 64), mask_in_chans=4),
        sam.MaskDecoder(transformer_dim=32, transformer=transformer),
    )


@pytest.mark.parametrize("quirks", [False, True])
def test_the_package_answers(monkeypatch, tmp_path, quirks):
    model = tiny_sam()
    package = sys.modules["segment_anything"]
    monkeypatch.setitem(package.sam_model_registry, "vit_b", lambda checkpoint: tiny_sam())
    torch.save(model.state_dict(), tmp_path / "sam.pth")
    refine = SAMPrompts(checkpoint=tmp_path / "sam.pth", min_area=4, min_iou=-100.0, official_quirks=quirks)
    labels = torch.zeros(30, 50, dtype=torch.int64)
    labels[:, 25:] = 1
    probabilities = torch.where(labels == torch.arange(2)[:, None, None], 0.8, 0.2)
    picture = torch.randint(0, 256, (30, 50, 3), dtype=torch.uint8)
    result = refine.refine_labels(labels, probabilities, picture)
    assert result.shape == (30, 50) and set(result.unique().tolist()) <= {0, 1}
    predictor = refine.predictor(torch.device("cpu"))
    predictor.set_image(picture.numpy())
    prompt = refine.mask_prompt(torch.full((15, 25), 0.8))
    assert prompt.shape == ((1, 16, 16) if quirks else (1, 1, 16, 16))
    # 30 x 50 pixels are 10 x 16 of SAM's mask input; the rest is padding
    torch.testing.assert_close(prompt.flatten(0, -3)[0][:10], torch.full((10, 16), 0.004))
    assert prompt.flatten(0, -3)[0][10:].abs().max() == 0
    masks, iou = refine.ask(torch.full((15, 25), 0.8), torch.tensor([[0.0, 0, 20, 20]] * 40), torch.full((40, 2), 5.0))
    assert masks.shape == (40, 30, 50) and iou.shape == (40,)
    torch.testing.assert_close(masks[0], masks[39], atol=1e-5, rtol=1e-5)
