import pytest
import torch
import torch.nn.functional as F

from ovdense.models.mask_heads.content_transfer import ContentDependentTransfer


@pytest.mark.parametrize("mode", ["semantic", "panoptic"])
def test_images_of_a_batch_do_not_meet(mode):
    transfer = ContentDependentTransfer(16, num_heads=4, mode=mode).eval()
    torch.nn.init.normal_(transfer.mlp.weight)
    features, rows = torch.randn(3, 16, 5, 7), F.normalize(torch.randn(6, 16), dim=1)
    every = transfer(features, rows)
    assert every.shape == (3, 6, 16)
    torch.testing.assert_close(every, torch.cat([transfer(one[None], rows) for one in features]))
    torch.testing.assert_close(transfer(features, rows[[4, 1]]), every[:, [4, 1]])  # nor do the names
    assert not torch.allclose(every[0], every[1])


def test_how_the_modes_start():
    rows = F.normalize(torch.randn(6, 16), dim=1)
    panoptic = ContentDependentTransfer(16, num_heads=4, mode="panoptic")
    torch.testing.assert_close(panoptic(torch.randn(1, 16, 5, 7), rows)[0], rows)  # nothing is added at first
    semantic = ContentDependentTransfer(16, num_heads=4)(torch.randn(1, 16, 5, 7), rows)
    assert (semantic.norm(dim=-1) > 3).all()  # layer norm of 16 channels: length 4, not made unit again


def test_errors():
    with pytest.raises(ValueError, match=r"'semantic', 'panoptic'.*got 'instance'"):
        ContentDependentTransfer(16, mode="instance")
    with pytest.raises(ValueError, match="multiple of 4"):
        ContentDependentTransfer(18, num_heads=3)
    with pytest.raises(ValueError, match="16 channels but the class embeddings 8"):
        ContentDependentTransfer(16, num_heads=4)(torch.randn(1, 16, 5, 7), torch.randn(3, 8))
