import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData

from ovdense.datasets.scenes.generator import SceneGenerator
from ovdense.models.detectors.tiny_proposals import TinyProposalNet, masks_to_boxes
from ovdense.registry import MODELS


@pytest.fixture(scope="module")
def net():
    return TinyProposalNet(pretrained="scenes_proposals").eval()


def normalised(scene) -> torch.Tensor:
    image = torch.from_numpy(scene.image.copy()).permute(2, 0, 1) / 255
    mean, std = (torch.tensor(value).view(3, 1, 1) for value in (TinyProposalNet.image_mean, TinyProposalNet.image_std))
    return (image - mean) / std


def best_iou(proposals: InstanceData, mask: np.ndarray) -> float:
    mask = torch.from_numpy(mask)
    union = (proposals.masks | mask).flatten(1).sum(1)
    return max(((proposals.masks & mask).flatten(1).sum(1) / union).tolist(), default=0.0)


def recall(net: TinyProposalNet, size: int, count: int) -> float:
    """Share of objects that a proposal covers with a mask IoU of at least 0.5."""
    generator = SceneGenerator(size=size, seed=555, texture_seed=2, texture_variants=2)
    scenes = [generator[index] for index in range(count)]
    proposals = net(torch.stack([normalised(scene) for scene in scenes]))
    found = [
        best_iou(of_scene, scene.instances == item.instance_id) >= 0.5
        for scene, of_scene in zip(scenes, proposals)
        for item in scene.objects
        if not item.ignored
    ]
    return float(np.mean(found))


def test_it_has_360_thousand_parameters():
    assert sum(parameter.numel() for parameter in TinyProposalNet().parameters()) == 360_283


def test_embedded_weights_find_objects(net):
    assert recall(net, 96, 40) > 0.8 * 0.79


def test_short_side_finds_the_same_objects_in_large_pictures(net):
    large = TinyProposalNet(pretrained="scenes_proposals", short_side=96).eval()
    assert recall(large, 288, 12) > 0.5
    assert recall(net, 288, 12) < 0.2  # at full size the objects are three times larger than what it knows


@pytest.mark.parametrize("size", [(96, 96), (50, 131), (7, 5), (1, 1)])
def test_any_size(net, size):
    [first, second] = net(torch.randn(2, 3, *size))
    for proposals in (first, second):
        assert proposals.masks.shape == (len(proposals), *size)
        assert proposals.bboxes.shape == (len(proposals), 4)


def test_boxes_are_tight_and_scores_fall(net):
    generator = SceneGenerator(seed=1, texture_variants=1)
    proposals = net(torch.stack([normalised(generator[index]) for index in range(4)]))
    assert sum(map(len, proposals)) > 0
    for of_image in proposals:
        assert torch.equal(of_image.bboxes, masks_to_boxes(of_image.masks))
        assert (of_image.scores.diff() <= 0).all()
        assert ((of_image.scores > 0.5) & (of_image.scores <= 1)).all()
        assert of_image.masks.sum(0).max() <= 1


def test_several_scales_are_merged():
    options = dict(pretrained="scenes_proposals", scales=(1.0, 0.5), max_per_image=3)
    net = MODELS.build(dict(type="TinyProposalNet", **options)).eval()
    scene = SceneGenerator(size=192, zoom=1, num_objects=(4, 6), seed=2, texture_variants=1)[0]
    [proposals] = net(normalised(scene)[None])
    assert 1 <= len(proposals) <= 3
    assert (proposals.scores.diff() <= 0).all()


def test_masks_to_boxes():
    masks = torch.zeros(2, 5, 6, dtype=torch.bool)
    masks[0, 1:3, 2:6] = True
    masks[1, 4, 0] = True
    assert masks_to_boxes(masks).tolist() == [[2, 1, 6, 3], [0, 4, 1, 5]]
    assert masks_to_boxes(masks[:0]).shape == (0, 4)


def sample_of(scene) -> DetDataSample:
    def instances(items):
        masks = [scene.instances == item.instance_id for item in items]
        masks = np.stack(masks).astype(np.uint8) if masks else np.zeros((0, *scene.instances.shape), np.uint8)
        boxes = torch.tensor([item.box for item in items], dtype=torch.float32).view(-1, 4)
        return InstanceData(bboxes=boxes, masks=BitmapMasks(masks, *scene.instances.shape))

    sample = DetDataSample()
    sample.gt_instances = instances([item for item in scene.objects if not item.ignored])
    sample.ignored_instances = instances([item for item in scene.objects if item.ignored])
    return sample


def test_training_lowers_the_loss():
    generator = SceneGenerator(seed=4, texture_variants=1)
    scenes = [generator[index] for index in range(6)]
    images, samples = torch.stack([normalised(scene) for scene in scenes]), [sample_of(scene) for scene in scenes]
    net = TinyProposalNet().train()
    optimizer = torch.optim.AdamW(net.parameters(), 3e-3)
    history = []
    for _ in range(12):
        losses = net.loss(images, samples)
        total = sum(losses.values())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        history.append(total.item())
    assert set(losses) == {"loss_foreground", "loss_dice", "loss_votes"}
    assert history[-1] < 0.8 * history[0]


def test_trained_weights_have_a_low_loss(net):
    """The targets are those of the embedded weights: far below the loss of a net that knows nothing (about 1.3)."""
    generator = SceneGenerator(seed=5, texture_variants=1)
    scenes = [generator[index] for index in range(16)]
    with torch.no_grad():
        losses = net.loss(torch.stack([normalised(scene) for scene in scenes]), [sample_of(scene) for scene in scenes])
    assert losses["loss_votes"] < 0.2
    assert losses["loss_foreground"] < 0.35
    assert losses["loss_dice"] < 0.2


def test_an_image_without_objects_has_a_finite_loss():
    sample = DetDataSample(gt_instances=InstanceData(bboxes=torch.zeros(0, 4), masks=torch.zeros(0, 96, 96)))
    losses = TinyProposalNet().train().loss(torch.randn(2, 3, 96, 96), [sample, sample])
    assert all(torch.isfinite(value) for value in losses.values())
    assert losses["loss_votes"] == 0


def test_unknown_weights_are_named():
    with pytest.raises(FileNotFoundError, match="nowhere"):
        TinyProposalNet(pretrained="nowhere")
