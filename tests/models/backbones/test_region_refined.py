import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import InstanceData
from torch import nn

from ovdense.registry import MODELS

CLIP = dict(type="ovdense.CLIPBackbone", model="scenes", attention="value", with_global=True)


@MODELS.register_module(force=True)
class LeftHalf(nn.Module):
    """Proposes the left half of every image, with score 0.7, or nothing."""

    image_mean, image_std = (0.0,) * 3, (1.0,) * 3

    def __init__(self, count: int = 1) -> None:
        super().__init__()
        self.count = count

    def forward(self, images):
        self.seen = images
        height, width = images.shape[-2:]
        mask = (torch.arange(width) < width // 2).expand(height, width)
        box = torch.tensor([[0.0, 0.0, width // 2, height]])
        one = InstanceData(bboxes=box, scores=torch.tensor([0.7]), masks=mask[None])
        return [one[: self.count] for _ in images]


def refined(**options):
    options = dict(dict(clip=CLIP, proposals=dict(type="LeftHalf")), **options)
    return MODELS.build(dict(type="ovdense.RegionRefinedBackbone", **options))


@pytest.fixture(scope="module")
def images():
    torch.manual_seed(0)
    return torch.randn(2, 3, 48, 96)


def fine(images, clip):
    return F.interpolate(F.normalize(clip(images).dense, dim=1), scale_factor=4, mode="bilinear")


def test_a_region_has_the_mean_of_its_cells(images):
    backbone = refined(crop_weight=0)
    plain, features = fine(images, backbone.clip), backbone(images)
    assert features.dense.shape == (2, 384, 24, 48) and features.stride == 2
    mean = F.normalize(plain[..., :24].mean((2, 3)), dim=1)[:, :, None, None].expand(-1, -1, 24, 24)
    assert torch.allclose(features.dense[..., :24], mean, atol=1e-5)
    assert torch.equal(features.dense[..., 24:], plain[..., 24:])
    assert features.maps[0].mean((0, 1, 2)).tolist() == [1.0] * 24 + [0.0] * 24


def test_the_class_token_of_the_crop_is_added(images):
    """The square around the left half is the half itself, grown by nothing: the crop is the picture's left half."""
    backbone = refined(crop_weight=3.0, crop_context=1.0, crop_size=48, crop_fade=0.0)
    token = F.normalize(backbone.clip(images[..., :48]).global_embedding, dim=1)
    mean = F.normalize(fine(images, backbone.clip)[..., :24].mean((2, 3)), dim=1)
    expected = F.normalize(mean + 3 * token, dim=1)
    assert torch.allclose(backbone(images).dense[:, :, 5, 5], expected, atol=1e-4)


@pytest.mark.parametrize("options", [dict(proposals=dict(type="LeftHalf", count=0)), dict(min_score=0.8)])
def test_without_regions_nothing_changes(images, options):
    backbone = refined(**options)
    features = backbone(images)
    assert torch.equal(features.dense, fine(images, backbone.clip)) and not features.maps[0].any()


def test_proposals_see_pixels_as_they_want_them(images):
    backbone = refined()
    backbone(images)
    mean, std = (torch.tensor(value).view(3, 1, 1) for value in (backbone.image_mean, backbone.image_std))
    assert torch.allclose(backbone.proposals.seen, images * std + mean, atol=1e-5)


def test_a_batch_equals_its_images(images):
    backbone = refined(proposals=dict(type="ovdense.TinyProposalNet", pretrained="scenes_proposals"))
    images = images[..., :91]  # padded to whole cells
    both = backbone(images)
    for index in range(2):
        alone = backbone(images[index : index + 1])
        assert torch.allclose(both.dense[index], alone.dense[0], atol=1e-4)
        assert torch.equal(both.maps[0][index], alone.maps[0][0])


def test_stride_must_divide():
    with pytest.raises(ValueError, match="stride must divide"):
        refined(stride=3)
