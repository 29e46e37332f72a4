"""The detector: results in the original picture, encode once and prompt many, errors, and mm's own interfaces."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.apis import DetInferencer, inference_detector, init_detector
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.model import BaseModule
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from PIL import Image

from ovdense.datasets.scenes import SceneGenerator
from ovdense.models.detectors import GivenProposals, OpenVocabDetector
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures

CONFIG = Path(__file__).parents[3] / "configs/tiny/region-text_scenes_generic-96.py"


@MODELS.register_module(force=True)
class QuadrantBackbone(BaseModule):
    """A 2 x 2 grid over any image; channel i is 1 in quadrant i."""

    name, space, embed_dim = "quadrants", "quadrants", 4
    image_mean, image_std = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)

    def forward(self, images):
        dense = torch.eye(4).view(4, 2, 2).expand(len(images), 4, 2, 2)
        stride = images.shape[-1] // 2
        return DenseFeatures(dense=dense, stride=stride, image_size=tuple(images.shape[-2:]))


def detector(proposals=None, **options):
    options = (
        dict(
            backbone=dict(type="QuadrantBackbone"),
            proposals=proposals or dict(type="GivenProposals"),
            roi_head=dict(type="RegionTextHead", activation="none"),
            class_embeddings={"a": torch.eye(4)[0], "b": torch.eye(4)[3]},
        )
        | options
    )
    return OpenVocabDetector(**options).eval()


BOXES = [[0, 0, 16, 16], [16, 16, 32, 32], [1, 0, 16, 16], [16, 0, 32, 16]]


def test_names_suppresses_and_sorts():
    found = detector().decode(detector().encode(torch.zeros(1, 3, 32, 32), proposals=[BOXES]))[0].pred_instances
    assert found.bboxes.tolist() == [[0, 0, 16, 16], [16, 16, 32, 32]]
    assert found.labels.tolist() == [0, 1] and found.scores.tolist() == [1, 1]
    assert "masks" not in found


def test_nms_is_class_wise_and_settings_count():
    both = {"a": torch.eye(4)[0], "b": torch.eye(4)[0]}
    encoded = detector().encode(torch.zeros(1, 3, 32, 32), proposals=[BOXES])
    assert len(detector(class_embeddings=both).decode(encoded)[0].pred_instances) == 2
    agnostic = dict(nms=dict(type="nms", iou_threshold=0.5, class_agnostic=True))
    assert len(detector(class_embeddings=both, test_cfg=agnostic).decode(encoded)[0].pred_instances) == 1
    assert len(detector(test_cfg=dict(nms=None)).decode(encoded)[0].pred_instances) == 3
    assert len(detector(test_cfg=dict(max_per_img=1)).decode(encoded)[0].pred_instances) == 1
    assert len(detector(test_cfg=dict(score_thr=1.0)).decode(encoded)[0].pred_instances) == 0
    with pytest.raises(ValueError, match=r"got \['max_dets'\]"):
        detector(test_cfg=dict(max_dets=1))


def test_nested_regions_of_a_class_go():
    nested = [[0, 0, 16, 16], [2, 2, 8, 8], [8, 8, 14, 14]]
    encoded = detector().encode(torch.zeros(1, 3, 32, 32), proposals=[nested])
    assert len(detector().decode(encoded)[0].pred_instances) == 3
    found = detector(test_cfg=dict(max_shared=0.5)).decode(encoded)[0].pred_instances
    assert found.bboxes.tolist() == [[0, 0, 16, 16]]


def test_limits_between_and_within_classes():
    both = {"a": torch.eye(4)[0], "b": torch.eye(4)[0]}
    encoded = detector().encode(torch.zeros(1, 3, 32, 32), proposals=[BOXES])
    assert (
        len(detector(class_embeddings=both, test_cfg=dict(max_shared_other=0.5)).decode(encoded)[0].pred_instances) == 1
    )
    separate = detector(test_cfg=dict(nms=None, max_per_class=1)).decode(encoded)[0].pred_instances
    assert len(separate) == 2


def test_results_are_in_pixels_of_the_original():
    meta = dict(img_shape=(32, 32), ori_shape=(64, 16), scale_factor=(2.0, 0.5))
    masks = torch.zeros(1, 64, 16, dtype=torch.bool)
    masks[0, :32, :8] = True
    sample = detector().decode(detector().encode(torch.zeros(1, 3, 32, 32), [meta], [masks]))[0]
    assert sample.pred_instances.bboxes.tolist() == [[0, 0, 8, 32]]
    assert sample.pred_instances.masks.equal(masks)


def test_encode_once_prompt_many():
    model = detector()
    encoded = model.encode(torch.zeros(2, 3, 32, 32), proposals=[BOXES, BOXES[:1]])
    assert [len(sample.pred_instances) for sample in model.decode(encoded)] == [2, 1]
    model.set_vocabulary(["b"])
    assert [len(sample.pred_instances) for sample in model.decode(encoded)] == [1, 0]
    assert model.dataset_meta["classes"] == ["b"]


def test_data_samples_may_carry_proposals_and_their_own_size():
    samples = []
    for factor in (1.0, 2.0):
        size = int(32 / factor)
        sample = DetDataSample(metainfo=dict(img_shape=(32, 32), ori_shape=(size, size), scale_factor=(factor, factor)))
        sample.proposals = InstanceData(bboxes=torch.tensor(BOXES[:1], dtype=torch.float32))
        samples.append(sample)
    out = detector().predict(torch.zeros(2, 3, 32, 32), samples)
    assert out[0] is samples[0]
    assert [one.pred_instances.bboxes.tolist() for one in out] == [[[0, 0, 16, 16]], [[0, 0, 8, 8]]]


def test_no_proposals_one_class_and_ten_thousand():
    images = torch.zeros(1, 3, 32, 32)
    model = detector()
    none = model.decode(model.encode(images, proposals=[torch.zeros(0, 4)]))[0].pred_instances
    assert none.bboxes.shape == (0, 4) and len(none.labels) == 0
    rows = {f"name {index}": torch.eye(4)[1] for index in range(10_000)} | {"name 9876": torch.eye(4)[3]}
    many = detector(class_embeddings=rows)
    found = many.decode(many.encode(images, proposals=[BOXES[:2]]))[0].pred_instances
    assert found.labels.tolist() == [9876] and found.bboxes.tolist() == [[16, 16, 32, 32]]


def test_errors_say_what_came():
    model = detector()
    with pytest.raises(ValueError, match=r"got \(3, 32, 32\)"):
        model.encode(torch.zeros(3, 32, 32))
    with pytest.raises(ValueError, match="got 1 images but 2 metainfos"):
        model.encode(torch.zeros(1, 3, 32, 32), [{}, {}])
    with pytest.raises(TypeError, match="got GivenProposals, which has nothing to learn"):
        model.loss(torch.zeros(1, 3, 32, 32), [])
    with pytest.raises(ValueError, match="got class embeddings with 3 channels"):
        detector(class_embeddings={"a": torch.ones(3)})
    assert isinstance(model.proposals, GivenProposals)


@pytest.fixture(scope="module")
def scene():
    return SceneGenerator(classes=["cat", "dog", "car", "bus"], seed=7, texture_seed=2)[3]


@pytest.fixture(autouse=True)
def scope():
    init_default_scope("ovdense")


@pytest.fixture(scope="module")
def scenes_model():
    init_default_scope("ovdense")
    model = init_detector(Config.fromfile(CONFIG), None, device="cpu", palette="none")
    model.set_vocabulary(["cat", "dog", "car", "bus"])
    return model


def test_inference_detector_on_a_shipped_config(scenes_model, scene):
    result = inference_detector(scenes_model, scene.image[..., ::-1].copy())
    found = result.pred_instances
    assert len(found) > 0
    assert found.masks.shape == (len(found), *scene.image.shape[:2])
    truth = torch.tensor(np.array([item.box for item in scene.objects]), dtype=torch.float32)
    overlap = torch.tensor([[_iou(box, other) for other in truth.tolist()] for box in found.bboxes.tolist()])
    assert overlap.max() > 0.5


def _iou(a, b):
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    inter = max(width, 0) * max(height, 0)
    return inter / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter)


def test_det_inferencer_on_a_shipped_config(scene, tmp_path):
    inferencer = DetInferencer(model=str(CONFIG), device="cpu", palette="random", show_progress=False)
    inferencer.model.set_vocabulary(["cat", "dog", "car", "bus"])
    inferencer.visualizer.dataset_meta = inferencer.model.dataset_meta
    Image.fromarray(scene.image).save(tmp_path / "scene.png")
    out = inferencer(str(tmp_path / "scene.png"), out_dir=str(tmp_path / "out"), no_save_pred=False)
    assert len(out["predictions"][0]["bboxes"]) > 0
    assert [path.name for path in (tmp_path / "out/vis").iterdir()] == ["scene.png"]
    assert (tmp_path / "out/preds/scene.json").is_file()


def test_the_proposal_net_can_be_trained(scene):
    config = Config.fromfile(CONFIG).model
    config.proposals.pretrained = None
    model = MODELS.build(config).train()
    sample = DetDataSample(metainfo=dict(img_shape=(96, 96)))
    masks = torch.stack([torch.as_tensor(scene.instances == item.instance_id) for item in scene.objects])
    boxes = torch.tensor(np.array([item.box for item in scene.objects]), dtype=torch.float32)
    sample.gt_instances = InstanceData(bboxes=boxes, masks=masks, labels=torch.zeros(len(boxes), dtype=torch.long))
    losses = model.loss(torch.randn(1, 3, 96, 96), [sample])
    sum(losses.values()).backward()
    assert model.proposals.head.weight.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in model.backbone.parameters())


def test_the_photo_config_of_a_clip_transformer_answers_with_random_weights():
    path = CONFIG.parents[1] / "region_text/region-text_vit-b16_generic-448.py"
    config = Config.fromfile(path).model
    clip = dict(
        embed_dim=32,
        vision_cfg=dict(layers=2, width=64, head_width=32, patch_size=16, image_size=64),
        text_cfg=dict(context_length=77, vocab_size=49408, width=32, heads=2, layers=1),
    )
    config.backbone.update(model=clip, pretrained=None)
    config.text_encoder = config.vocabulary = None
    # Rows of two opposite directions: every region is at least as similar to one of them as a cosine of zero.
    row = torch.nn.functional.normalize(torch.randn(32), dim=0)
    config.class_embeddings = {"cat": row, "dog": -row}
    config.roi_head.update(crop_size=64, logit_bias=0.0)
    config.test_cfg.score_thr = 0.01
    model = MODELS.build(config).eval()
    image = torch.zeros(1, 3, 64, 96)
    image[:, :, 16:48, 32:64] = 2.0
    found = model.decode(model.encode(image))[0].pred_instances
    assert len(found) > 0
    assert ((found.scores > 0.01) & (found.scores <= 1)).all()
    assert found.masks.shape == (len(found), 64, 96)
