"""tools/train.py and tools/test.py in-process: a linear probe on generated scenes, stopped and resumed."""

import importlib.util
import json
from pathlib import Path

import pytest
import torch
from mmengine.registry import DefaultScope

ROOT = Path(__file__).resolve().parents[2]

CONFIG = """
default_scope = "ovdense"
custom_imports = dict(imports=["ovdense"])
model = dict(
    type="OpenVocabSegmentor",
    data_preprocessor=dict(size=(96, 96)),
    backbone=dict(type="CLIPBackbone", model="scenes"),
    decode_head=dict(type="LinearProbeHead", in_channels={channels}, num_classes=48),
)
scenes = dict(type="ScenesSegDataset", num_scenes=4)
pipeline = [dict(type="LoadImageFromFile"), dict(type="mmseg.PackSegInputs")]
test_pipeline = pipeline
train_dataloader = dict(
    batch_size=2, num_workers=0, sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(pipeline=pipeline, **scenes),
)
test_dataloader = dict(
    batch_size=1, num_workers=0, sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(pipeline=pipeline, split="test", test_mode=True, **scenes),
)
val_dataloader = test_dataloader
val_evaluator = test_evaluator = dict(type="mmseg.IoUMetric", iou_metrics=["mIoU"])
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=2, val_interval=2)
val_cfg = dict(type="ValLoop")
test_cfg = dict(type="TestLoop")
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="AdamW", lr=1e-2))
param_scheduler = [dict(type="PolyLR", eta_min=0, power=0.9, begin=0, end=4, by_epoch=True)]
default_hooks = dict(
    logger=dict(type="LoggerHook", interval=1),
    checkpoint=dict(type="CheckpointHook", interval=1),
    visualization=dict(type="OverlayHook"),
)
custom_hooks = [dict(type="FeatureCacheHook")]
visualizer = dict(type="mmseg.SegLocalVisualizer", vis_backends=[dict(type="LocalVisBackend")])
auto_scale_lr = dict(enable=False, base_batch_size=2)
"""


def load_tool(name):
    spec = importlib.util.spec_from_file_location(f"tool_{name}", ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    from ovdense.registry import MODELS

    with DefaultScope.overwrite_default_scope("ovdense"):  # earlier tests may have left another library's
        channels = MODELS.build(dict(type="CLIPBackbone", model="scenes")).embed_dim
    path = tmp_path_factory.mktemp("tools") / "probe.py"
    path.write_text(CONFIG.format(channels=channels))
    return path


@pytest.fixture(scope="module")
def trained(config):
    """Two epochs, interrupted after the first and resumed."""
    work = config.parent / "work"
    tool = load_tool("train")
    common = [str(config), "--work-dir", str(work), "--auto-scale-lr"]
    first = tool.main([*common, "--cfg-options", "train_cfg.max_epochs=1"])
    assert first.epoch == 1
    second = tool.main([*common, "--resume"])
    assert second.epoch == 2 and second.iter == 4
    return work


def test_resumed_where_it_stopped(trained):
    first, second = (torch.load(trained / f"epoch_{n}.pth", map_location="cpu", weights_only=False) for n in (1, 2))
    assert first["meta"]["iter"] == 2 and second["meta"]["iter"] == 4
    assert [int(state["step"]) for state in second["optimizer"]["state"].values()] == [4, 4]  # weight, bias
    assert not torch.equal(*(item["state_dict"]["decode_head.conv_seg.weight"] for item in (first, second)))


def test_tool_reports_metrics_and_writes_label_files(trained, config):
    metrics = load_tool("test").main(
        [
            *(str(config), str(trained / "epoch_2.pth"), "--work-dir", str(trained / "test")),
            *("--out", str(trained / "labels"), "--show-dir", str(trained / "painted")),
        ]
    )
    assert 0 <= metrics["mIoU"] <= 100
    assert len(list((trained / "labels").glob("*.png"))) == 4
    assert len(list((trained / "painted").rglob("*.jpg"))) == 4
    logged = next((trained / "test").rglob("2*.json"))
    assert json.loads(logged.read_text())["mIoU"] == metrics["mIoU"]
    report = json.loads((trained / "test" / "results.json").read_text())
    assert report["metrics"]["mIoU"] == metrics["mIoU"] and report["task"] == "segmentation"
    assert "ScenesSegDataset" in report["protocol_line"] and report["protocol"]["pictures"] == 4
    assert report["checkpoint"].endswith("epoch_2.pth") and len(report["checkpoint_sha256"]) == 64
    assert report["versions"]["mmseg"] and len(report["config_sha256"]) == 64


def test_panoptic_maps_of_generated_scenes_are_painted(tmp_path):
    """Scenes have no file to read the picture from."""
    load_tool("test").main(
        [
            *(str(ROOT / "configs/tiny/panoptic_scenes_scenes-143-96.py"), "--work-dir", str(tmp_path)),
            *("--show-dir", str(tmp_path / "painted"), "--cfg-options", "test_dataloader.dataset.num_scenes=2"),
        ]
    )
    assert len(list((tmp_path / "painted").glob("*.jpg"))) == 2


def test_predictor_takes_the_trained_probe(trained, config):
    from ovdense.apis import Segmenter

    segmenter = Segmenter.from_config(config, trained / "epoch_2.pth", device="cpu")
    result = segmenter(torch.zeros(50, 60, 3, dtype=torch.uint8).numpy())
    assert result.labels.shape == (50, 60) and len(result.classes) == 48


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("train", ["no-such-config"], "no config 'no-such-config'"),
        ("test", ["CONFIG", "missing.pth"], "no such checkpoint: missing.pth"),
        ("test", ["CONFIG", "none", "--tta"], "tta_model"),
        ("test", ["CONFIG", "--backbone", "ViT-B-16"], "needs weights"),
        ("train", ["CONFIG", "--cfg-options", "train_cfg=None"], "describes no training"),
    ],
)
def test_mistakes_are_one_line(config, tool, arguments, words):
    with pytest.raises(SystemExit, match=f"error: .*{words}"):
        load_tool(tool).main([str(config) if item == "CONFIG" else item for item in arguments])
