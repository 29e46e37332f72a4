"""F-ViT on the embedded CLIP: training on base boxes, one result whoever asks, and official weights by our names."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.apis import DetInferencer
from mmengine.config import Config
from mmengine.runner import Runner

from ovdense.models.detector_checkpoints import from_fvit
from ovdense.registry import MODELS

ROOT = Path(__file__).resolve().parents[3]
TINY = str(ROOT / "configs/tiny/fvit_scenes_1xb8-200_scenes-127-96.py")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A runner after three steps, its checkpoint, and what tools/test.py's loop gives for four scenes."""
    folder = tmp_path_factory.mktemp("fvit")
    config = Config.fromfile(TINY)
    config.work_dir = str(folder)
    config.merge_from_dict(
        {
            "train_cfg.max_iters": 3,
            "train_cfg.val_interval": 3,
            "param_scheduler": None,
            "train_dataloader.batch_size": 2,
            "val_dataloader.dataset.num_scenes": 4,
            "test_dataloader.dataset.num_scenes": 4,
            "model.test_cfg.rcnn.score_thr": 0.0001,
        }
    )
    config.default_hooks.checkpoint.interval = 3
    runner = Runner.from_cfg(config)
    runner.train()
    _ = runner.test_dataloader  # built while the scope is the runner's
    return runner, folder / "iter_3.pth"


def test_training_leaves_the_clip_alone(trained):
    runner, checkpoint = trained
    model = runner.model
    assert not any(value.requires_grad for value in model.backbone.parameters())
    weights = torch.load(checkpoint, weights_only=False)["state_dict"]
    assert weights and not any(name.startswith("backbone.") for name in weights)
    losses = {key for key in runner.message_hub.log_scalars if key.startswith("train/loss")}
    assert {"train/loss_rpn_cls", "train/loss_cls", "train/loss_bbox"} <= losses
    assert set(runner.message_hub.log_scalars) >= {"val/scenes/bbox_AP50_novel", "val/scenes/bbox_AP50_base"}


def test_inferencer_and_test_loop_give_the_same_boxes(trained):
    runner, checkpoint = trained
    model, loader = runner.model.eval(), runner.test_dataloader
    batch = next(iter(loader))
    with torch.no_grad():
        together = model.test_step(batch)
    inferencer = DetInferencer(
        model=runner.cfg.copy(), weights=str(checkpoint), device="cpu", scope="ovdense", show_progress=False
    )
    for index, sample in enumerate(together):
        picture = loader.dataset[index]["inputs"].permute(1, 2, 0).numpy()
        alone = inferencer(np.ascontiguousarray(picture), return_datasamples=True)["predictions"][0].pred_instances
        assert len(alone) == len(sample.pred_instances) > 0
        torch.testing.assert_close(alone.bboxes, sample.pred_instances.bboxes, atol=1e-3, rtol=1e-4)
        torch.testing.assert_close(alone.scores, sample.pred_instances.scores, atol=1e-5, rtol=1e-4)
        assert torch.equal(alone.labels, sample.pred_instances.labels)


def test_the_vocabulary_changes_on_a_built_detector(trained):
    model = trained[0].model.eval()
    image = torch.rand(1, 3, 96, 96)
    before = model.vocabulary
    model.set_vocabulary(["pizza", "a thing nobody has drawn"])
    from mmdet.structures import DetDataSample

    sample = DetDataSample(metainfo=dict(img_shape=(96, 96), ori_shape=(96, 96), scale_factor=(1.0, 1.0)))
    (found,) = model.predict(image, [sample])
    assert set(found.pred_instances.labels.tolist()) <= {0, 1}
    model.set_vocabulary(before)


def test_masks_by_a_class_agnostic_head():
    config = Config.fromfile(TINY)
    mask = Config.fromfile(ROOT / "configs/_base_/models/fvit_mask.py").model.roi_head
    for part in ("mask_roi_extractor", "mask_head"):
        config.model.roi_head[part] = mask[part]
    channels = {"out_channels": 48, "featmap_strides": [2, 4, 8, 16]}
    config.merge_from_dict({"model.roi_head.mask_roi_extractor": channels})
    config.merge_from_dict({"model.roi_head.mask_head": dict(in_channels=48, conv_out_channels=16)})
    config.model.test_cfg.rcnn.score_thr = 0.0001
    model = MODELS.build(config.model).eval()
    from mmdet.structures import DetDataSample

    sample = DetDataSample(metainfo=dict(img_shape=(96, 80), ori_shape=(48, 40), scale_factor=(2.0, 2.0)))
    (found,) = model.predict(torch.rand(1, 3, 96, 96), [sample])
    assert found.pred_instances.masks.shape[1:] == (48, 40)
    assert len(found.pred_instances.masks) == len(found.pred_instances.bboxes)


def test_official_weights_come_in_loudly(trained):
    """A checkpoint written by the official names comes back as it was; what nobody knows is named."""
    state = trained[0].model.state_dict()
    official = {"backbone.visual.cls_token": torch.zeros(1), "roi_head.bbox_head.fc_cls.weight": torch.zeros(2)}
    official["roi_head.bbox_head.all_embeddings"] = torch.zeros(3)
    for name, value in state.items():
        if name.startswith("neck.fpn."):
            official[name.replace("neck.fpn.", "neck.")] = value
        elif name.startswith("neck."):
            official[name.replace("neck.", "backbone.")] = value
        elif name == "roi_head.bbox_head.fc_cls.logit_scale":
            official["roi_head.bbox_head.detect_temperature"] = value
        else:
            official[name] = value
    found = from_fvit(dict(state_dict=official))
    assert found.weights.keys() == state.keys()
    assert set(found.left_out) == set(official) - {*state, "roi_head.bbox_head.detect_temperature"} - {
        name for name in official if name.startswith(("neck.", "backbone.interpolate"))
    }
    assert "the frozen CLIP comes from its own file: backbone.visual.cls_token" in found.report()
    with pytest.raises(ValueError, match=r"1 are not known: bbox_head\.what"):
        from_fvit({**official, "bbox_head.what": torch.zeros(1)})
    with pytest.raises(ValueError, match=r"no weights of neck\.interpolate1\., neck\.fpn\."):
        from_fvit({key: value for key, value in official.items() if key.startswith(("rpn_head", "roi_head"))})
