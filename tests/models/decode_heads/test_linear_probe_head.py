import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures


def sample(height, width):
    return SegDataSample(gt_sem_seg=PixelData(data=torch.randint(0, 3, (1, height, width))))


def test_losses_ignore_255_and_the_padding_of_the_backbone():
    torch.manual_seed(0)
    head = MODELS.build(dict(type="LinearProbeHead", in_channels=8, num_classes=3))
    features = DenseFeatures(dense=torch.randn(2, 8, 4, 5), padding=(3, 1, 5, 3), image_size=(60, 72))
    samples = [sample(60, 72), sample(60, 72)]
    samples[0].gt_sem_seg.data[:, :30] = 255
    losses = head.loss(features, None, samples)
    losses["loss_ce"].backward()
    assert head.conv_seg.weight.grad.abs().sum() > 0
    logits = torch.nn.functional.interpolate(head(features), size=(64, 80), mode="bilinear")[..., 1:61, 3:75]
    target = torch.cat([one.gt_sem_seg.data for one in samples])
    torch.testing.assert_close(losses["loss_ce"], torch.nn.functional.cross_entropy(logits, target, ignore_index=255))


def test_stage_maps_can_be_probed_and_a_wrong_width_is_named():
    head = MODELS.build(dict(type="LinearProbeHead", in_channels=6, num_classes=3, map_index=1, norm=False))
    maps = (torch.randn(1, 4, 8, 8), torch.randn(1, 6, 4, 4))
    assert head(DenseFeatures(dense=None, maps=maps)).shape == (1, 3, 4, 4)
    with pytest.raises(ValueError, match="in_channels=6 but the backbone gives 4 channels"):
        head(DenseFeatures(dense=None, maps=maps[::-1]))
