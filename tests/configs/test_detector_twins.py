"""Every tiny detector: mmdet's inferencer gives the boxes of the test loop, exactly, for the same picture file."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from mmdet.apis import DetInferencer
from mmengine.config import Config
from mmengine.runner import Runner
from PIL import Image

from ovdense.datasets.scenes import SceneGenerator

TINY = Path(__file__).resolve().parents[2] / "configs" / "tiny"
NAMES = ("fvit_*", "vild_*", "region-text_*", "regionclip_*", "ovseg-regions_*", "fc-clip_scenes_generic-96")
TWINS = sorted(path for name in NAMES for path in TINY.glob(f"{name}.py"))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of one drawn scene, with its box in COCO's format."""
    folder = tmp_path_factory.mktemp("pictures")
    scene = SceneGenerator(classes=["cat", "dog", "car", "bus"], seed=7, texture_seed=2)[3]
    Image.fromarray(scene.image).save(folder / "scene.png")
    height, width = scene.image.shape[:2]
    truth = dict(
        images=[dict(id=1, file_name="scene.png", height=height, width=width)],
        categories=[dict(id=1, name="cat")],
        annotations=[dict(id=1, image_id=1, category_id=1, bbox=[8, 8, 40, 40], area=1600, iscrowd=0)],
    )
    (folder / "annotations.json").write_text(json.dumps(truth))
    return folder


def config_of(path: Path, pictures: Path, folder: Path) -> Config:
    """The twin's config on the picture file; a floor of the scores that lets untrained heads speak."""
    config = Config.fromfile(path)
    config.work_dir = str(folder)
    config.test_dataloader = dict(
        batch_size=1,
        num_workers=0,
        sampler=dict(type="DefaultSampler", shuffle=False),
        dataset=dict(
            type="mmdet.CocoDataset",
            data_root=str(pictures),
            ann_file="annotations.json",
            data_prefix=dict(img=""),
            metainfo=dict(classes=("cat",)),
            test_mode=True,
            pipeline=[step for step in config.test_pipeline if "LoadAnnotations" not in step.type],
        ),
    )
    config.test_evaluator = dict(type="mmdet.DumpDetResults", out_file_path=str(folder / "found.pkl"))
    for key in ("train_dataloader", "train_cfg", "optim_wrapper", "param_scheduler"):
        config[key] = None
    for key in ("val_dataloader", "val_cfg", "val_evaluator"):
        config[key] = None
    if "rcnn" in config.model.get("test_cfg", {}):
        config.model.test_cfg.rcnn.score_thr = 1e-4
    if config.model.get("proposals", {}).get("type") == "TinyProposalNet":
        config.model.proposals.pretrained = "scenes_proposals"
    return config


@pytest.mark.parametrize("path", TWINS, ids=lambda path: path.stem)
def test_inferencer_and_test_loop_give_the_same_boxes(path, pictures, tmp_path):
    config = config_of(path, pictures, tmp_path)
    runner = Runner.from_cfg(config.copy())
    runner.model.init_weights()
    weights = str(tmp_path / "weights.pth")
    torch.save(dict(state_dict=runner.model.state_dict(), meta=dict(dataset_meta=runner.model.dataset_meta)), weights)
    runner.test()
    (expected,) = pickle.loads((tmp_path / "found.pkl").read_bytes())
    expected = expected["pred_instances"]
    inferencer = DetInferencer(config, weights, device="cpu", show_progress=False)
    out = inferencer(str(pictures / "scene.png"), return_datasamples=True, no_save_vis=True)
    found = out["predictions"][0].pred_instances
    assert len(found) == len(expected["labels"]) > 0
    for key in ("bboxes", "labels", "scores"):
        assert torch.equal(found[key].cpu(), expected[key]), key
