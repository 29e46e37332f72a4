"""Talk2DINO through tools/train.py: features kept once, an interrupted filling that goes on, and resumed training."""

import importlib.util
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmseg.structures import SegDataSample

from ovdense.engine import CaptionFeaturesHook, EmbeddingStore
from ovdense.engine.caption_features import Filling
from ovdense.registry import DATASETS, MODELS

ROOT = Path(__file__).resolve().parents[3]
TINY = ROOT / "configs/tiny/talk2dino_scenes_1xb64-20e_scenes-captions-48-96.py"
KEEP = dict(type="CaptionFeaturesHook")


def load_tool(name):
    spec = importlib.util.spec_from_file_location(f"tool_{name}", ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def photos(tmp_path):
    """Three pictures, two captions each, in the format of COCO."""
    (tmp_path / "train").mkdir()
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for index in range(3):
        cv2.imwrite(str(tmp_path / "train" / f"{index}.png"), rng.integers(0, 255, (40, 56, 3), dtype=np.uint8))
        images.append(dict(id=index, file_name=f"{index}.png"))
        annotations += [dict(image_id=index, caption=f"{word} number {index}") for word in ("picture", "photo")]
    (tmp_path / "captions.json").write_text(json.dumps(dict(images=images, annotations=annotations)))
    return dict(
        type="CocoCaptionsDataset",
        data_root=str(tmp_path),
        ann_file="captions.json",
        data_prefix=dict(img_path="train"),
        pipeline=[
            dict(type="LoadImageFromFile"),
            dict(type="ovdense.CenterCrop", size=32),
            dict(type="mmseg.PackSegInputs", meta_keys=("img_path", "caption")),
        ],
    )


def config_of(tmp_path, dataset, hooks=(KEEP,)):
    config = Config.fromfile(TINY)
    config.model.backbone.input_size = 32
    config.train_dataloader = dict(config.train_dataloader, batch_size=3, dataset=dataset)
    config.merge_from_dict(
        {
            "train_cfg.max_epochs": 1,
            "default_hooks.checkpoint.interval": 1,
            **dict.fromkeys(("val_dataloader", "val_evaluator", "val_cfg")),
        }
    )
    config.custom_hooks = list(hooks)
    path = tmp_path / "config.py"
    config.dump(path)
    return path


class Counting:
    """A backbone's forward that counts the pictures."""

    def __init__(self, forward):
        self.forward, self.count = forward, 0

    def __call__(self, images, **options):
        self.count += len(images)
        return self.forward(images, **options)


@pytest.fixture
def count_pictures(monkeypatch):
    counters = []
    build = MODELS.get("CaptionSegmentor").__init__

    def init(self, **kwargs):
        build(self, **kwargs)
        self.backbone.forward = Counting(self.backbone.forward)
        counters.append(self.backbone.forward)

    monkeypatch.setattr(MODELS.get("CaptionSegmentor"), "__init__", init)
    return counters


def test_a_picture_goes_through_the_backbone_once_and_training_resumes(photos, tmp_path, count_pictures):
    path, work = config_of(tmp_path, photos), tmp_path / "work"
    train = load_tool("train")
    first = train.main([str(path), "--work-dir", str(work)])
    assert first.epoch == 1 and first.iter == 2 and count_pictures[0].count == 3
    assert "prepare_data" not in vars(first.train_dataloader.dataset)
    second = train.main([str(path), "--work-dir", str(work), "--resume", "--cfg-options", "train_cfg.max_epochs=3"])
    assert second.epoch == 3 and second.iter == 6 and count_pictures[1].count == 0
    states = [torch.load(work / f"epoch_{n}.pth", weights_only=False) for n in (1, 3)]
    assert [{int(entry["step"]) for entry in state["optimizer"]["state"].values()} for state in states] == [{2}, {6}]
    key = "decode_head.mapping.linear_layer.weight"
    assert not torch.equal(states[0]["state_dict"][key], states[1]["state_dict"][key])
    assert not any(name.startswith("backbone") for name in states[0]["state_dict"])


def test_kept_features_give_the_loss_of_fresh_ones(photos, tmp_path):
    path = config_of(tmp_path, photos)
    model = MODELS.build(Config.fromfile(path).model)
    dataset = DATASETS.build(photos)
    images, captions = EmbeddingStore(tmp_path / "images"), EmbeddingStore(tmp_path / "captions")
    Filling(dataset, model, images, captions).run(batch_size=2, num_workers=0)
    assert len(images) == 3 and len(captions) == 6
    indices = (0, 3, 4)
    items = [dataset[index] for index in indices]
    data = model.data_preprocessor(
        dict(inputs=[item["inputs"] for item in items], data_samples=[item["data_samples"] for item in items]), True
    )
    fresh = model(**data, mode="loss")
    kept = []
    for index in indices:
        sample = SegDataSample()
        sample.set_field(images[dataset.get_data_info(index)["img_path"]], "image_embedding")
        sample.set_field(captions[str(index)], "caption_embedding")
        kept.append(sample)
    again = model(torch.zeros(3, 3, 1, 1), kept, mode="loss")
    assert fresh.keys() == {"decode.loss_infonce", "decode.acc_caption"}
    torch.testing.assert_close(again["decode.loss_infonce"], fresh["decode.loss_infonce"], atol=1e-7, rtol=1e-4)


def test_an_interrupted_filling_goes_on(photos, tmp_path, monkeypatch):
    model = MODELS.build(Config.fromfile(config_of(tmp_path, photos)).model)
    dataset, folder = DATASETS.build(photos), tmp_path / "images"
    embed = model.embed_images

    def stop(inputs):
        if len(EmbeddingStore(folder)) or seen:
            raise KeyboardInterrupt
        seen.append(len(inputs))
        return embed(inputs)

    seen = []
    monkeypatch.setattr(model, "embed_images", stop)
    stores = EmbeddingStore(folder), EmbeddingStore(tmp_path / "captions")
    with pytest.raises(KeyboardInterrupt):
        Filling(dataset, model, *stores).run(batch_size=1, num_workers=0)
    assert len(EmbeddingStore(folder)) == 1
    monkeypatch.setattr(model, "embed_images", lambda inputs: seen.append(len(inputs)) or embed(inputs))
    stores = EmbeddingStore(folder), EmbeddingStore(tmp_path / "captions")
    Filling(dataset, model, *stores).run(batch_size=1, num_workers=0)
    assert sum(seen) == 3 and [len(store) for store in stores] == [3, 6]


def test_scenes_teach_with_their_captions(tmp_path):
    """The twin's own data, which are drawn when they are asked for; no features are kept."""
    config = Config.fromfile(TINY)
    dataset = dict(config.train_dataloader.dataset, num_scenes=6)
    path = config_of(tmp_path, dataset, hooks=())
    runner = load_tool("train").main([str(path), "--work-dir", str(tmp_path / "work")])
    assert runner.iter == 2 and runner.message_hub.get_scalar("train/decode.loss_infonce").current() > 0


def test_what_does_not_go_together_is_refused(photos, tmp_path):
    config = Config.fromfile(config_of(tmp_path, photos))
    random = dict(photos, pipeline=[photos["pipeline"][0], dict(type="mmseg.RandomFlip", prob=0.5)])
    path = config_of(tmp_path, random)
    with pytest.raises(ValueError, match="take RandomFlip out of it"):
        load_tool("train").main([str(path), "--work-dir", str(tmp_path / "work")])
    with pytest.raises(TypeError, match="such as Talk2DINOHead, got PixelTextHead"):
        MODELS.build(dict(config.model, decode_head=dict(type="PixelTextHead")))
    with pytest.raises(ValueError, match=r"set backbone\.frozen=True"):
        MODELS.build(dict(config.model, backbone=dict(config.model.backbone, frozen=False)))
    model = MODELS.build(config.model)
    with pytest.raises(ValueError, match="this picture has no caption"):
        model.loss(torch.zeros(1, 3, 32, 32), [SegDataSample(metainfo=dict(img_path="a"))])
    assert CaptionFeaturesHook().priority == "VERY_LOW"
