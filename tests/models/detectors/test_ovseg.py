"""OVSeg as a model: batches, empty masks, many classes, the demo's rule, given masks, and its checkpoints."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from ovdense.models.mask_checkpoints import rename
from ovdense.models.ovseg_checkpoint import OVSEG_HEAD_RULES, RESNET_RULES, convert_ovseg
from ovdense.registry import MODELS
from ovdense.structures import ClassEmbeddings, Vocabulary

TINY = Path(__file__).resolve().parents[3] / "configs" / "tiny"


def classes(count):
    names = tuple(f"class {index}" for index in range(count))
    rows = torch.nn.functional.normalize(torch.randn(count, 384, generator=torch.Generator().manual_seed(count)), dim=1)
    return ClassEmbeddings(rows, torch.arange(count), Vocabulary(names, tuple((n,) for n in names)), space="")


def build(count=6, **options):
    config = Config.fromfile(TINY / "ovseg_scenes_scenes-143-96.py").model
    config.update(vocabulary=None, trained_on=None, text_encoder=None, class_embeddings=classes(count), **options)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope("ovdense"):
        return MODELS.build(config).eval()


@pytest.fixture(scope="module")
def model():
    return build()


def test_a_picture_gives_the_same_alone_and_in_a_padded_batch(model):
    torch.manual_seed(1)
    images, metas = torch.zeros(2, 3, 64, 96), [dict(img_shape=(64, 80)), dict(img_shape=(48, 96))]
    for image, meta in zip(images, metas):
        height, width = meta["img_shape"]
        image[:, :height, :width] = torch.randn(3, height, width)
    together = model.encode(images, metas)
    for index, meta in enumerate(metas):
        height, width = meta["img_shape"]
        alone = model.encode(images[index : index + 1, :, :height, :width], [meta])
        for name in ("mask_logits", "embeddings", "regions"):
            expected = getattr(together.proposals[index], name)
            torch.testing.assert_close(getattr(alone.proposals[0], name), expected, atol=2e-4, rtol=1e-4)
        assert tuple(model.decode(alone)[0].pred_sem_seg.data.shape) == (1, height, width)


def test_no_valid_mask_and_one_proposal_are_answered(model):
    images = torch.randn(1, 3, 48, 64)
    encoded = model.encode(images)
    proposals = encoded.proposals[0]
    proposals.mask_logits[:] = -20.0
    model._look_at_crops(proposals, encoded, 0)
    assert not proposals.usable.any()
    for weight in (0.0, 0.5):
        model.ensemble.weight = weight
        _, scores = model.classify(encoded, 0)
        assert torch.isfinite(scores).all() and (scores[:, :-1] == 0).all() == (weight == 0)
        assert model.decode(encoded)[0].pred_sem_seg.data.shape == (1, 48, 64)
    model.ensemble.weight = 0.5
    proposals.mask_logits = proposals.mask_logits[:, :1] + 40
    proposals.embeddings = proposals.embeddings[:, :1]
    model._look_at_crops(proposals, encoded, 0)
    assert proposals.usable.tolist() == [[True]] and model.classify(encoded, 0)[1].shape == (1, 7)


def test_one_class_and_thousands(model):
    encoded = model.encode(torch.randn(1, 3, 32, 48))
    for count in (1, 1300):
        model.set_vocabulary(classes(count))
        model.test_cfg["panoptic_on"] = False
        labels = model.decode(encoded)[0].pred_sem_seg.data
        assert labels.dtype == torch.int64 and int(labels.max()) < count
    model.set_vocabulary(classes(6))


def test_given_masks_are_named_in_their_order(model):
    images = torch.randn(2, 3, 48, 64)
    masks = torch.zeros(3, 48, 64, dtype=torch.bool)
    masks[0, :20, :30], masks[2, 5, 6] = True, True
    first, second = model.name_masks(images, [masks, masks[:0]])
    assert first.shape == (3, 6) and second.shape == (0, 6)
    torch.testing.assert_close(first.sum(1), torch.tensor([1.0, 0.0, 1.0]))
    swapped = model.name_masks(images[:1], [masks.flip(0)])[0]
    torch.testing.assert_close(swapped, first.flip(0))


def test_the_demo_shows_a_class_by_its_best_proposal(model):
    encoded = model.encode(torch.randn(1, 3, 32, 32))
    model.official_demo = True
    labels = model.decode(encoded)[0].pred_sem_seg.data
    model.official_demo = False
    assert labels.shape == (1, 32, 32) and 0 <= int(labels.min()) <= int(labels.max()) < 6


def official_state(model):
    """The tiny model's weights under the names of an official checkpoint with a ResNet-C."""
    state = model.state_dict()
    named = {}
    for rule in OVSEG_HEAD_RULES:
        for name in state:
            guess = _official_name(rule, name)
            if guess is not None and rename({guess: state[name]}, [rule])[0].keys() == {name}:
                named[guess] = state[name]
    return named


def _official_name(rule, name):
    """The official name behind one of ours, by the rule's pattern read backwards; None if it is not this rule's."""
    import re

    parts = re.split(r"\\(\d)", rule.target)
    pattern = "".join(re.escape(part) if index % 2 == 0 else r"(.+)" for index, part in enumerate(parts))
    found = re.fullmatch(pattern, name)
    if found is None:
        return None
    groups = iter(found.groups())
    return re.sub(r"\([^)]*\)", lambda match: next(groups), rule.pattern).replace("\\", "")


def test_every_weight_of_the_head_has_an_official_name(model):
    named = official_state(model)
    ours = set(rename(named, OVSEG_HEAD_RULES)[0])
    missing = [name for name in model.state_dict() if name.startswith("mask_head.") and name not in ours]
    assert missing == ["mask_head.void_embedding.weight"]  # it lies in the clip_adapter


def test_a_checkpoint_that_does_not_fit_says_what_is_wrong(model):
    named = official_state(model)
    named["clip_adapter.non_object_embedding"] = torch.zeros(1, 384)
    with pytest.raises(ValueError, match=r"missing: .*backbone\.visual.*missing of the text tower: token_embedding"):
        convert_ovseg(named, model)
    with pytest.raises(ValueError, match=r"1 tensor.* no place here: sem_seg_head\.predictor\.other"):
        convert_ovseg({**named, "sem_seg_head.predictor.other": torch.zeros(1)}, model)


def test_names_of_a_resnet_with_deeplabs_stem():
    value = torch.zeros(1)
    names = ["stem.conv1.weight", "stem.conv3.norm.running_mean", "res2.0.shortcut.weight", "res5.2.conv3.norm.bias"]
    ours = list(rename(dict.fromkeys(names, value), RESNET_RULES)[0])
    assert ours == ["stem.0.weight", "stem.7.running_mean", "layer1.0.downsample.0.weight", "layer4.2.bn3.bias"]
