"""The self-supervised pretrainer: its views, steps through the Runner, resuming, and what the export is good for."""

import importlib.util
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config

from ovdense.datasets.scenes import ScenesSegDataset
from ovdense.models.pretrainers.views import cut_windows, jitter_colours, patch_regions, random_blobs, random_windows
from ovdense.registry import MODELS

ROOT = Path(__file__).resolve().parents[3]
CONFIG = next((ROOT / "configs" / "tiny").glob("companion_scenes_*.py"))
TINY = dict(img_size=32, patch_size=8, embed_dim=32, depth=1, num_heads=2)


def load_tool(path):
    spec = importlib.util.spec_from_file_location("tool", ROOT / "tools" / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pretrainer(**options):
    torch.manual_seed(0)
    return MODELS.build(dict(type="ovdense.PasteContrastPretrainer", model_options=TINY, **options))


def test_windows_are_cut_where_they_lie():
    image = torch.arange(16.0).view(1, 1, 4, 4).expand(1, 3, 4, 4)
    view = cut_windows(image, torch.tensor([[2.0, 0.0, 2.0]]), 2)
    assert torch.allclose(view[0, 0], torch.tensor([[2.0, 3.0], [6.0, 7.0]]), atol=1e-5)


def test_random_windows_stay_inside():
    windows = random_windows(200, (60, 90), (20, 80))
    assert (windows >= 0).all() and (windows[:, 2] >= 20).all()
    assert (windows[:, 0] + windows[:, 2] <= 90).all() and (windows[:, 1] + windows[:, 2] <= 60).all()


def test_colours_stay_in_range():
    images = torch.rand(8, 3, 5, 5)
    changed = jitter_colours(images)
    assert changed.min() >= 0 and changed.max() <= 1 and not torch.allclose(changed, images, atol=0.01)


def test_blobs_cover_part_of_the_view():
    share = random_blobs(50, 32).flatten(1).mean(1)
    assert (share > 0.01).all() and (share < 0.95).all()


def test_patch_regions_by_hand():
    labels = torch.zeros(1, 4, 4)
    labels[:, :2, 2:] = 1  # the upper right patch
    labels[:, 2:, 0] = 2  # half of the lower left one
    assert patch_regions(labels, 3, 2).tolist() == [[0, 1, -1, 0]]


def test_teacher_follows_the_student():
    model = pretrainer(momentum=0.5).train()
    with torch.no_grad():
        for parameter in model.student.parameters():
            parameter += 1
    before = model.teacher["head"].prototypes.weight.clone()
    model.steps.fill_(100)
    model.update_teacher()
    assert torch.allclose(model.teacher["head"].prototypes.weight, before + 0.5)
    assert not any(parameter.requires_grad for parameter in model.teacher.parameters())


@pytest.mark.parametrize(("weight", "names"), [(0.1, {"loss_regions", "loss_class"}), (0, {"loss_regions"})])
def test_losses_reach_the_student_only(weight, names):
    model = pretrainer(class_weight=weight).train()
    losses = model.loss(torch.rand(4, 3, 96, 96))
    sum(losses.values()).backward()
    assert set(losses) == names and all(torch.isfinite(value) for value in losses.values())
    assert model.student["trunk"].blocks[0].attn.qkv.weight.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in model.teacher.parameters())


def test_two_steps_then_resumed_then_exported(tmp_path):
    config = Config.fromfile(CONFIG)
    config.merge_from_dict(
        {
            "train_dataloader.batch_size": 2,
            "train_dataloader.dataset.num_scenes": 8,
            "default_hooks.checkpoint.interval": 1,
        }
    )
    config.dump(tmp_path / "config.py")
    train, work = load_tool("train.py"), tmp_path / "work"
    for steps in (2, 3):
        arguments = [
            str(tmp_path / "config.py"),
            "--work-dir",
            str(work),
            "--cfg-options",
            f"train_cfg.max_iters={steps}",
        ]
        runner = train.main(arguments + (["--resume"] if steps > 2 else []))
        assert runner.iter == steps and runner.model.steps.item() == steps
    out = tmp_path / "model"
    load_tool("model_converters/export_scenes_models.py").main(["companion", str(work / "iter_3.pth"), str(out)])
    options = dict(type="ovdense.DINOBackbone", model="scenes_dino", pretrained=str(out / "model.safetensors"))
    features = MODELS.build(options)(torch.zeros(1, 3, 40, 64))
    assert features.maps[0].shape == (1, 128, 5, 8)


@pytest.fixture(scope="module")
def scenes():
    dataset = ScenesSegDataset(split="val", num_scenes=120, test_mode=True, pipeline=[])
    drawn = [dataset.generator[index] for index in range(120)]
    images = torch.stack([torch.from_numpy(scene.image.copy()).permute(2, 0, 1) / 255 for scene in drawn])
    labels = torch.stack([torch.from_numpy(scene.semantic_as(dataset.vocabulary.classes)).long() for scene in drawn])
    return dataset.vocabulary, images, labels


def object_iou(dense, rows, labels) -> float:
    """Mean IoU in percent of the 32 objects of scenes-48 that occur."""
    logits = torch.einsum("bchw,kc->bkhw", F.normalize(dense, dim=1), F.normalize(rows, dim=1))
    predicted = F.interpolate(logits, labels.shape[-2:], mode="bilinear").argmax(1)
    known, values = labels != 255, []
    for label in labels[labels < 32].unique():
        found, true = (predicted == label) & known, labels == label
        values.append(((found & true).sum() / (found | true).sum()).item())
    return 100 * sum(values) / len(values)


def test_the_embedded_companion_refines_the_clip(scenes):
    """Objects gain 3.9 points by the softmax of its cosines (beta 1.2, gamma 8) on pictures twice as large."""
    vocabulary, images, labels = scenes
    clip = MODELS.build(dict(type="ovdense.CLIPBackbone", model="scenes", attention="value")).eval()
    text = MODELS.build(dict(type="ovdense.CLIPTextEncoder", model="scenes"))
    companion = MODELS.build(dict(type="ovdense.DINOBackbone", model="scenes_dino")).eval()

    def normalised(pictures, backbone):
        mean, std = (torch.tensor(value).view(3, 1, 1) for value in (backbone.image_mean, backbone.image_std))
        return (pictures - mean) / std

    with torch.no_grad():
        dense = clip(normalised(images, clip)).dense
        rows = text.encode(vocabulary).rows
        large = F.interpolate(images, scale_factor=2, mode="bilinear")
        patches = F.normalize(companion(normalised(large, companion)).maps[0].flatten(2), dim=1)
    cosines = patches.transpose(1, 2) @ patches
    links = 8 * (cosines - 1.2 * cosines.mean((1, 2), keepdim=True))
    weights = links.masked_fill(links < 0, -torch.inf).softmax(-1)
    fine = F.interpolate(dense, (24, 24), mode="bilinear")
    refined = (fine.flatten(2) @ weights.transpose(1, 2)).view_as(fine)
    assert object_iou(refined, rows, labels) > object_iou(dense, rows, labels) + 0.8 * 3.9
