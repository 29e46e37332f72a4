"""CLIPSelf: RoIAlign by matrix products, weight averaging, and a student that learns any backbone's crops."""

import importlib.util
import json
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from torchvision.ops import roi_align

from ovdense.functional.region_pooling import align_boxes
from ovdense.functional.self_distillation import average_weights, cosine_distance, grid_boxes, grid_choices
from ovdense.models.pretrainers.clipself import resize_longest
from ovdense.registry import MODELS

ROOT = Path(__file__).resolve().parents[3]
TINY = str(ROOT / "configs/tiny/clipself_scenes-cls_1xb16-200_scenes-143-96.py")
TOOL = ROOT / "tools/model_converters/clipself_weights.py"


def test_regions_equal_roi_align():
    torch.manual_seed(0)
    maps = torch.randn(2, 5, 6, 9, requires_grad=True)
    boxes = [torch.tensor([[0.0, 0, 9, 6], [1.3, 0.2, 4.9, 5.7], [2, 2, 2.4, 2.3]]), torch.tensor([[-3.0, -2, 12, 8]])]
    rows = torch.cat([torch.cat([torch.full((len(b), 1), float(i)), b], 1) for i, b in enumerate(boxes)])
    expected = roi_align(maps, rows, 1, 1.0, -1, True)[..., 0, 0]
    actual = align_boxes(maps, boxes)
    torch.testing.assert_close(actual, expected)
    (mine,) = torch.autograd.grad(actual.square().sum(), maps)
    (theirs,) = torch.autograd.grad(roi_align(maps, rows, 1, 1.0, -1, True).square().sum(), maps)
    torch.testing.assert_close(mine, theirs)
    assert align_boxes(maps, [boxes[0][:0], boxes[1][:0]]).shape == (0, 5)
    with pytest.raises(ValueError, match="each of the 2 images needs its boxes, got 1"):
        align_boxes(maps, boxes[:1])


def test_grids():
    assert grid_choices(2) == [(1, 1), (1, 2), (2, 1), (2, 2)] and len(grid_choices(6)) == 24
    expected = torch.tensor([[0, 0, 0.5, 1], [0.5, 0, 1, 1]])
    torch.testing.assert_close(grid_boxes(1, 2), expected)
    with pytest.raises(ValueError, match="at least one row, got at most 0"):
        grid_choices(0)


def test_distance_and_average_by_hand():
    student, teacher = torch.tensor([[1.0, 0.0], [3.0, 4.0]]), torch.tensor([[2.0, 0.0], [1.0, 0.0]])
    assert cosine_distance(student, teacher).item() == pytest.approx(1 - (1 + 0.6) / 2)
    assert cosine_distance(student[:0], teacher[:0]) == 0
    mean = average_weights(
        {"w": torch.tensor([1.0]), "n": torch.tensor(3)}, {"w": torch.tensor([0.0]), "n": torch.tensor(2)}, 0.7
    )
    assert mean["w"].item() == pytest.approx(0.7) and mean["n"] == 3
    with pytest.raises(ValueError, match="alpha, the student's share, is in"):
        average_weights({}, {}, 1.5)
    with pytest.raises(ValueError, match="1 names differ"):
        average_weights({"w": torch.ones(1)}, {}, 0.5)


def test_boxes_follow_the_size_of_the_picture():
    images, boxes = resize_longest(torch.rand(1, 3, 32, 64), [torch.tensor([[16.0, 8, 64, 32]])], 32)
    assert images.shape == (1, 3, 16, 32)
    assert boxes[0].tolist() == [[8, 4, 32, 16]]


CLIPS = {
    "CLIPViT": dict(
        embed_dim=16,
        vision_cfg=dict(image_size=32, patch_size=8, width=32, layers=2, head_width=16),
        text_cfg=dict(width=16, heads=1, layers=1),
    ),
    "SigLIP": dict(
        embed_dim=192,
        vision_cfg=dict(image_size=32, timm_model_name="vit_tiny_patch16_224", timm_pool="map", timm_proj="none"),
        text_cfg=dict(width=16, heads=1, layers=1),
    ),
}


@pytest.mark.filterwarnings("ignore:no pretrained weights")
@pytest.mark.parametrize("name", sorted(CLIPS))
def test_a_batch_of_any_size_is_the_mean_of_its_pictures(name):
    torch.manual_seed(0)
    model = MODELS.build(dict(type="CLIPSelfPretrainer", backbone=dict(type="CLIPBackbone", model=CLIPS[name])))
    images = torch.randn(2, 3, 48, 80)
    boxes = [torch.tensor([[0.0, 0, 40, 48], [16, 8, 80, 40]]), torch.tensor([[8.0, 0, 24, 48], [0, 0, 80, 24]])]
    crops = torch.randn(4, 3, 32, 32)
    together = model.loss(images, crops, boxes)["loss_cosine"]
    alone = [model.loss(images[i : i + 1], crops[2 * i : 2 * i + 2], boxes[i : i + 1])["loss_cosine"] for i in (0, 1)]
    torch.testing.assert_close(together, torch.stack(alone).mean())
    together.backward()
    trained = {key for key, value in model.student.named_parameters() if value.grad is not None}
    assert trained and all("block" in key for key in trained)
    assert all(value.grad is None for value in model.teacher.parameters())


def test_the_twin_learns_and_its_average_loads(tmp_path):
    """The mean loss of 50 steps falls from 0.29 to 0.23 to 0.21 in the first 150 of the config."""
    spec = importlib.util.spec_from_file_location("clipself_weights", TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    convert = tool.convert

    config = Config.fromfile(TINY)
    config.work_dir = str(tmp_path)
    config.merge_from_dict({"train_cfg.max_iters": 12, "param_scheduler": None, "train_dataloader.batch_size": 8})
    config.default_hooks.checkpoint.interval = 12
    config.default_hooks.logger.interval = 4
    runner = Runner.from_cfg(config)
    images, crops, boxes = torch.randn(1, 3, 96, 96), torch.randn(1, 3, 48, 48), [torch.tensor([[0.0, 0, 48, 48]])]
    before = runner.model.loss(images, crops, boxes)["loss_cosine"].item()
    runner.train()
    history = [row["loss_cosine"] for row in map(json.loads, next(tmp_path.rglob("scalars.json")).open())]
    assert history[-1] < 0.85 * history[0] and before > 0
    counts = convert(tmp_path / "iter_12.pth", tmp_path / "clipself.safetensors", 0.7)
    assert set(counts) == {"visual"}
    averaged = MODELS.build(
        dict(type="CLIPBackbone", model="scenes_cls", pretrained=str(tmp_path / "clipself.safetensors"))
    )
    assert averaged.space == MODELS.build(dict(type="CLIPBackbone", model="scenes_cls")).space  # same text encoder
    name = "visual.transformer.resblocks.0.attn.out_proj.weight"
    student, teacher = (getattr(runner.model, side).state_dict()[name] for side in ("student", "teacher"))
    torch.testing.assert_close(averaged.state_dict()[name], 0.7 * student + 0.3 * teacher)
    assert not torch.equal(student, teacher)
