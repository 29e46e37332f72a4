"""The configs of CorrCLIP: they read, build at full size, label a picture with random weights, and are documented."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmseg.apis import inference_model, init_model

from ovdense.apis.configs import method_config
from ovdense.registry import MODELS, TRANSFORMS

ROOT = Path(__file__).resolve().parents[2] / "configs"
FULL = sorted((ROOT / "corrclip").glob("*.py"))
# One of each kind for what takes time; test_protocol_configs.py reads all of them.
BUILT = [path for path in FULL if "generic" in path.stem or "ade20k" in path.stem]
CLIP = {
    "vit-b16": ("ViT-B-16", "openai"),
    "vit-b16_metaclip": ("ViT-B-16-quickgelu", "metaclip_fullcc"),
    "vit-l14_metaclip": ("ViT-L-14-quickgelu", "metaclip_fullcc"),
}

pytestmark = pytest.mark.filterwarnings("ignore:no pretrained weights")


def name_of(path):
    return path.stem


@pytest.mark.parametrize("path", BUILT, ids=name_of)
def test_a_full_config_is_what_its_name_says_and_builds(path):
    config = Config.fromfile(path)
    model = config.model
    kind = path.stem.removeprefix("corrclip_").rsplit("_", 1)[0]
    assert (model.backbone.model, model.backbone.pretrained) == CLIP[kind]
    assert (model.text_encoder.model, model.text_encoder.pretrained) == CLIP[kind]
    steps = [step.type.split(".")[-1] for step in config.test_pipeline]
    assert steps[:3] == ["LoadImageFromFile", "LoadRegionMasks", "Resize"] and steps[-1] == "PackSegInputs"
    assert config.test_pipeline[2].scale == (2048, 448) and "region_ids" in config.test_pipeline[-1].meta_keys
    assert config.test_dataloader.dataset.pipeline == config.test_pipeline
    for step in config.test_pipeline:
        TRANSFORMS.build(step)
    assert len(path.read_text().splitlines()) <= 40
    model.backbone.pretrained, model.backbone.proxy.pretrained = None, False
    with torch.device("meta"):
        built = MODELS.build(model)
    layers = 24 if "l14" in path.stem else 12
    assert built.backbone.spatial_blocks == tuple(range(10, 22) if layers == 24 else range(5, 10))
    assert built.backbone.stride == 8 and built.test_cfg.region_vote is True


def test_both_kinds_of_data_for_every_model():
    assert {name_of(path) for path in BUILT} == {
        f"corrclip_{kind}_{data}-448" for kind in CLIP for data in ("ade20k-150", "generic")
    }


@pytest.mark.parametrize("masks", [True, False])
def test_the_generic_config_labels_a_picture_with_and_without_masks(tmp_path, masks):
    config = Config.fromfile(ROOT / "corrclip" / "corrclip_vit-b16_generic-448.py")
    vision = dict(image_size=64, layers=5, width=48, head_width=16, patch_size=16)
    text = dict(context_length=77, vocab_size=49408, width=64, heads=1, layers=1)
    config.model.backbone.update(model=dict(embed_dim=24, vision_cfg=vision, text_cfg=text), pretrained=None)
    config.model.backbone.proxy.update(
        pretrained=False, model_options=dict(embed_dim=24, depth=2, num_heads=2, img_size=64)
    )
    config.model.update(text_encoder=None, class_embeddings=torch.randn(133, 24))
    config.model.test_cfg.update(crop_size=96, stride=64)
    config.test_pipeline[1].folder, config.test_pipeline[2].scale = str(tmp_path), (2048, 112)
    model = init_model(config, device="cpu")
    picture = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    if not masks:
        assert inference_model(model, picture).pred_sem_seg.data.shape == (1, 60, 80)
        return
    import cv2

    cv2.imwrite(str(tmp_path / "photo.bmp"), picture)
    ids = np.zeros((60, 80), np.uint16)
    ids[:, 40:] = 60000
    np.savez(tmp_path / "photo.npz", ids=ids)
    labels = inference_model(model, str(tmp_path / "photo.bmp")).pred_sem_seg.data[0]
    assert len(labels[:, 40:].unique()) == 1 and len(labels[:, :40].unique()) > 1


@pytest.mark.parametrize("path", [path for path in FULL if path not in BUILT], ids=name_of)
def test_every_set_reads_its_masks(path):
    config = Config.fromfile(path)
    load, resize, pack = config.test_pipeline[1], config.test_pipeline[2], config.test_pipeline[-1]
    assert (load.type, resize.type) == ("LoadRegionMasks", "ovdense.Resize") and "region_ids" in pack.meta_keys
    assert load.folder.split("/")[-1] in ("voc", "context", "coco", "cityscapes") and not load.get("optional")
    assert config.model.test_cfg.region_vote is True and config.test_dataloader.dataset.pipeline == config.test_pipeline


def test_ade20k_says_what_is_missing(tmp_path):
    config = Config.fromfile(ROOT / "corrclip" / "corrclip_vit-b16_metaclip_ade20k-150-448.py")
    load = TRANSFORMS.build(config.test_pipeline[1])
    with pytest.raises(FileNotFoundError, match="no region masks for .*ADE_val_00000001.jpg.*data/region_masks/ade"):
        load(dict(img_path="a/ADE_val_00000001.jpg", ori_shape=(2, 2)))


def test_the_method_is_found_by_name():
    path, exact = method_config("segmentation", "ViT-B-16", "corrclip")
    assert path.stem == "corrclip_vit-b16_generic-448" and exact


def test_readme_names_the_paper_the_command_and_every_config():
    text = (ROOT / "corrclip" / "README.md").read_text(encoding="utf-8")
    assert "arXiv\n2411.10086" in text and "--method corrclip" in text
    for path in FULL:
        assert f"({path.name})" in text


def test_the_twin_segments_scenes(tmp_path):
    """38.6 over 1,000 fixed scenes, 35.4 with MaskCLIP's head and no regions."""
    config = Config.fromfile(ROOT / "tiny" / "corrclip_scenes_scenes-48-96.py")
    config.work_dir = str(tmp_path)
    config.merge_from_dict({"test_dataloader.dataset.fixed": "base", "test_dataloader.dataset.num_scenes": 32})
    assert Runner.from_cfg(config).test()["mIoU"] > 0.8 * 38.6
