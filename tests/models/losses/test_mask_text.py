import pytest
import torch
import torch.nn.functional as F

from ovdense.models.losses.mask_text import compensation_loss, mask_quality, mask_ranking_loss, pooled_descriptors


@pytest.mark.parametrize("size", [(24, 32), (13, 9), (12, 16)])
def test_quality_is_the_soft_iou_of_the_enlarged_masks(size):
    logits, masks = 3 * torch.randn(5, 12, 16), torch.rand(3, *size) > 0.6
    enlarged = F.interpolate(logits.sigmoid()[None], size=size, mode="bilinear", align_corners=False)[0]
    shared = torch.einsum("qhw,nhw->nq", enlarged, masks.float())
    union = masks.flatten(1).sum(1)[:, None] + enlarged.flatten(1).sum(1) - shared
    torch.testing.assert_close(mask_quality(logits, masks), shared / union, atol=1e-5, rtol=1e-5)


def test_ranking_by_hand():
    """Three proposals cover all, half and nothing of a segment: wanted are 1, 1/2 and 0."""
    wide = torch.full((2, 2), 50.0)
    half = torch.tensor([[50.0, -50.0], [50.0, -50.0]])
    masks = torch.stack([wide, half, -wide])[None]
    truth = torch.ones(1, 2, 2)
    logits = torch.log(torch.tensor([[[0.75, 0.25], [0.5, 0.5], [0.25, 0.75]]]))
    loss = mask_ranking_loss(logits, masks, [torch.tensor([0])], [truth])
    assert loss == pytest.approx((0.25**2 / 2 + 0 + 0.25**2 / 2) / 3, abs=1e-6)
    # the other class: probabilities 1/4, 1/2, 3/4 are off by 3/4, 0, 3/4
    loss = mask_ranking_loss(logits, masks, [torch.tensor([1])], [truth])
    assert loss == pytest.approx((0.75**2 / 2) * 2 / 3, abs=1e-6)


def test_ranking_over_images_of_several_sizes_and_without_segments():
    logits, masks = torch.randn(3, 4, 6, requires_grad=True), torch.randn(3, 4, 5, 7, requires_grad=True)
    labels = [torch.tensor([2, 0]), torch.zeros(0, dtype=torch.long), torch.tensor([5])]
    truth = [(torch.rand(len(label), 10 + index, 14) > 0.5) for index, label in enumerate(labels)]
    loss = mask_ranking_loss(logits, masks, labels, truth)
    single = [mask_ranking_loss(logits[i : i + 1], masks[i : i + 1], [labels[i]], [truth[i]]) for i in (0, 2)]
    torch.testing.assert_close(loss, (2 * single[0] + single[1]) / 3)
    loss.backward()
    assert logits.grad.abs().sum() > 0 and masks.grad is None
    nothing = mask_ranking_loss(logits, masks, [labels[1]] * 3, [truth[1]] * 3)
    assert nothing == 0 and nothing.requires_grad


def test_descriptors_by_hand():
    features = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    # scale 1: the mean 2.5 by lines and by columns; scale 2: sums of columns, then of lines
    assert pooled_descriptors(features, (1, 2)).tolist() == [[2.5, 2.5, 4, 6, 3, 7]]


def test_windows_of_upright_maps():
    """The side counts; the official code takes the width, so that the windows of an upright map are smaller."""
    upright, level = torch.rand(1, 2, 12, 8), torch.rand(1, 2, 8, 12)
    assert pooled_descriptors(upright).shape == pooled_descriptors(level).shape == (1, 2 * 2 * (1 + 2 + 4))
    assert torch.equal(pooled_descriptors(level), pooled_descriptors(level, official_quirks=True))
    assert pooled_descriptors(upright, official_quirks=True).shape == (1, 2 * 2 * (1 + 3 + 6))
    assert pooled_descriptors(torch.rand(1, 2, 1, 3)).isfinite().all()  # windows never vanish


def test_compensation_needs_equal_maps_and_moves_only_the_student():
    student, teacher = torch.randn(2, 3, 8, 12, requires_grad=True), torch.randn(2, 3, 8, 12, requires_grad=True)
    compensation_loss(student, teacher).backward()
    assert student.grad.abs().sum() > 0 and teacher.grad is None
    assert compensation_loss(student, student) == 0
    with pytest.raises(ValueError, match=r"\(2, 3, 8, 12\) but the teacher's \(2, 3, 8, 8\)"):
        compensation_loss(student, teacher[..., :8])
