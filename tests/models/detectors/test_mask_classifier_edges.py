"""The mask classifiers' tiny twins at the edges: vocabulary sizes, batches, shapes, one proposal and none of use."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from ovdense.registry import MODELS

TINY = Path(__file__).resolve().parents[3] / "configs" / "tiny"
METHODS = ("fc-clip", "maft-plus", "pmp", "pmp-ovseg", "ovseg", "mask-adapter")
SIZE = (64, 96)  # of the pictures: not square
GROUPS = dict(thing=["disc", "ring"], stuff=["grass"])


def build(method, **head):
    config = Config.fromfile(TINY / f"{method}_scenes_scenes-143-96.py").model
    config.mask_head.update(head)
    config.test_cfg = dict(config.get("test_cfg", {}), semantic_on=True, panoptic_on=True, instance_on=True)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope("ovdense"):
        model = MODELS.build(config)
        model.mask_head.init_weights()
    return model.eval()


@pytest.fixture(scope="module", params=METHODS)
def twin(request):
    """A twin and two encoded pictures."""
    model = build(request.param)
    return model, model.encode(pictures())


def pictures():
    return torch.randn(2, 3, *SIZE, generator=torch.Generator().manual_seed(1))


def name(model, encoded, names, groups=None):
    model.set_vocabulary(names, groups=groups)
    return model.decode(encoded)


def check(sample, classes):
    """Shapes and ranges that hold for every picture; things are in the groups or all classes are."""
    semantic, panoptic, found = sample.pred_sem_seg.sem_seg, sample.pred_panoptic_seg.sem_seg, sample.pred_instances
    assert semantic.shape == panoptic.shape == (1, *SIZE) and semantic.dtype == torch.int64
    assert semantic.min() >= 0 and semantic.max() < classes
    assert (panoptic % 1000 <= classes).all()
    assert found.masks.shape == (len(found), *SIZE) and found.masks.flatten(1).any(1).all()
    assert found.scores.isfinite().all() and (found.labels < classes).all()


def test_one_class(twin):
    for sample in name(*twin, ["disc"]):
        check(sample, 1)
        assert (sample.pred_sem_seg.sem_seg == 0).all() and not sample.pred_instances.labels.any()


def test_847_names_are_labels_beyond_255(twin):
    """The first best names of the list are the last of the reversed one."""
    model, encoded = twin
    colours = ("red", "blue", "grey", "pink", "lime", "gold", "teal")
    names = [f"{colour} shape {number}" for number in range(121) for colour in colours]
    forward, backward = (name(model, encoded, order)[0] for order in (names, names[::-1]))
    for sample in (forward, backward):
        check(sample, 847)
    labels = forward.pred_sem_seg.sem_seg, backward.pred_sem_seg.sem_seg
    assert max(label.max() for label in labels) > 255
    assert (labels[0] == 846 - labels[1]).float().mean() > 0.99


def test_a_batch_of_two_agrees_with_each_picture_alone(twin):
    model, encoded = twin
    together = name(model, encoded, ["disc", "ring", "grass"], GROUPS)
    for index, sample in enumerate(together):
        check(sample, 3)
        assert set(sample.pred_instances.labels.tolist()) <= {0, 1}  # grass is stuff
        single = model.encode(pictures()[index, None])
        first, second = (model.classify(*one) for one in ((encoded, index), (single, 0)))
        torch.testing.assert_close(first[0].mask_logits, second[0].mask_logits, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(first[1], second[1], atol=1e-4, rtol=1e-4)
        alone = model.decode(single)[0]
        for part in ("pred_sem_seg", "pred_panoptic_seg"):
            assert (sample.get(part).sem_seg == alone.get(part).sem_seg).float().mean() > 0.999


@pytest.mark.parametrize("void", [False, True], ids=["empty masks", "void names"])
def test_no_valid_proposal(twin, monkeypatch, void):
    """Nothing is found, and the panoptic map is void; the semantic map, which knows no void, still has classes."""
    model, propose = twin[0], twin[0].mask_head.propose

    def useless(maps, samples):
        proposals = propose(maps, samples)
        if void:
            proposals.embeddings = model.mask_head.void_embedding.weight.expand_as(proposals.embeddings)
        else:
            proposals.mask_logits = torch.full_like(proposals.mask_logits, -30.0)
        return proposals

    monkeypatch.setattr(model.mask_head, "propose", useless)
    model.set_vocabulary(["disc", "ring", "grass"], groups=GROUPS)
    for sample in model.decode(model.encode(pictures())):
        check(sample, 3)
        assert (sample.pred_panoptic_seg.sem_seg == 3).all()
        assert void or len(sample.pred_instances) == 0


@pytest.mark.parametrize("method", METHODS)
def test_one_proposal(method):
    """It can be one segment at most, and one instance of each thing."""
    model = build(method, num_queries=1)
    for sample in name(model, model.encode(pictures()), ["disc", "ring", "grass"], GROUPS):
        check(sample, 3)
        assert len(sample.pred_panoptic_seg.sem_seg[sample.pred_panoptic_seg.sem_seg != 3].unique()) <= 1
        assert len(sample.pred_instances) <= 2 and len(sample.pred_sem_seg.sem_seg.unique()) == 1
