"""A closed-set probe inside the segmentor: losses, checkpoints that hold the probe alone, and ones that do not fit."""

import copy
import pickle

import pytest
import torch
from mmengine.runner import load_checkpoint, save_checkpoint
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from ovdense.registry import MODELS


def probe(num_classes=5, seed=0, **kwargs):
    torch.manual_seed(seed)
    return MODELS.build(
        dict(
            type="OpenVocabSegmentor",
            backbone=dict(type="CLIPBackbone", model="scenes"),
            decode_head=dict(type="LinearProbeHead", in_channels=384, num_classes=num_classes),
            data_preprocessor=dict(size=(96, 96)),
            **kwargs,
        )
    )


def batch():
    """Two pictures of flat patches, each class a colour."""
    torch.manual_seed(0)
    colours, inputs, samples = torch.randint(0, 255, (5, 3), dtype=torch.uint8), [], []
    for _ in range(2):
        labels = torch.randint(0, 5, (1, 3, 3)).repeat_interleave(32, 1).repeat_interleave(32, 2)
        samples.append(SegDataSample(gt_sem_seg=PixelData(data=labels), metainfo=dict(img_shape=(96, 96))))
        inputs.append(colours[labels[0]].permute(2, 0, 1).contiguous())
    return dict(inputs=inputs, data_samples=samples)


def test_training_lowers_the_loss_and_leaves_the_backbone_alone():
    model = probe().train()
    before = [parameter.clone() for parameter in model.backbone.parameters()]
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.02)
    losses = []
    for _ in range(15):
        data = model.data_preprocessor(batch(), training=True)
        loss, _ = model.parse_losses(model(**data, mode="loss"))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    assert not model.backbone.training
    assert all(torch.equal(*pair) for pair in zip(before, model.backbone.parameters()))


def test_checkpoint_holds_the_probe_alone_and_loads_strictly(tmp_path):
    trained, fresh = probe(), probe(seed=1)
    assert all(key.startswith("decode_head.") for key in trained.state_dict())
    assert any(key.startswith("backbone.") for key in probe(save_frozen=True).state_dict())
    path = str(tmp_path / "probe.pth")
    save_checkpoint(dict(state_dict=trained.state_dict(), meta={}), path)
    load_checkpoint(fresh, path, strict=True)
    assert torch.equal(fresh.decode_head.conv_seg.weight, trained.decode_head.conv_seg.weight)
    assert fresh.load_state_dict(trained.state_dict()).missing_keys == []
    whole = probe(save_frozen=True).state_dict()
    assert fresh.load_state_dict(whole).unexpected_keys == []


def test_models_can_be_copied_and_pickled():
    model = probe()
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        twin.decode_head.conv_seg.weight.data.zero_()
        assert sorted(twin.state_dict()) == sorted(model.state_dict())
        twin.load_state_dict(model.state_dict())
        assert torch.equal(twin.decode_head.conv_seg.weight, model.decode_head.conv_seg.weight)


def test_what_a_checkpoint_lacks_beyond_the_backbone_is_reported():
    state = probe().state_dict()
    del state["decode_head.conv_seg.bias"]
    found = probe().load_state_dict(state, strict=False)
    assert found.missing_keys == ["decode_head.conv_seg.bias"]


def test_checkpoints_that_do_not_fit_are_errors():
    with pytest.raises(ValueError, match=r"conv_seg\.\w+ is \(7,.* in the checkpoint and \(5,"):
        probe().load_state_dict(probe(7).state_dict())
    with pytest.raises(ValueError, match="none of its 1 tensors"):
        probe().load_state_dict({"layer1.weight": torch.zeros(3)}, strict=False)


def test_results_need_no_vocabulary():
    model = probe().eval()
    data = batch()
    data["data_samples"][0].set_metainfo(dict(ori_shape=(50, 60)))
    results = model.test_step(data)
    assert results[0].pred_sem_seg.shape == (50, 60) and results[1].pred_sem_seg.shape == (96, 96)
    assert model.num_classes == 5


@pytest.mark.filterwarnings("ignore:no pretrained weights")
def test_random_backbones_are_saved():
    tiny = dict(
        embed_dim=24,
        vision_cfg=dict(image_size=64, layers=1, width=32, head_width=16, patch_size=16),
        text_cfg=dict(context_length=77, vocab_size=49408, width=64, heads=1, layers=1),
    )
    head = dict(type="LinearProbeHead", in_channels=24, num_classes=5)
    model = MODELS.build(
        dict(type="OpenVocabSegmentor", backbone=dict(type="CLIPBackbone", model=tiny), decode_head=head)
    )
    assert any(key.startswith("backbone.") for key in model.state_dict())
