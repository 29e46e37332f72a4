"""The bilateral solver against the linear system of its paper, solved densely, and on pictures with a plain answer."""

import pytest
import torch

from ovdense.functional.bilateral_solver import CONFIDENCE, BilateralGrid, bilateral_solve


def halves(height=20, width=24):
    """A picture, black on the left and white on the right, and a mask that ends four columns too early."""
    image = torch.zeros(1, 3, height, width)
    image[..., width // 2 :] = 255
    mask = torch.zeros(1, height, width)
    mask[..., : width // 2 - 4] = 1
    return image, mask


def dense_solution(image, mask, smoothness=256.0):
    """Equation 2 of arXiv 1511.03296 with matrices."""
    grid = BilateralGrid(image, (16.0, 16.0, 8.0))
    count = len(grid.owner)
    splat = torch.zeros(count, mask.numel(), dtype=torch.float64)
    splat[grid.vertex, torch.arange(mask.numel())] = 1
    blur = torch.stack([grid.blur(row) for row in torch.eye(count, dtype=torch.float64)])
    counts, scale = splat.sum(1), torch.ones(count, dtype=torch.float64)
    for _ in range(10):
        scale = (scale * counts / (blur @ scale)).sqrt()
    mass = scale * (blur @ scale)
    system = smoothness * (mass.diag() - scale[:, None] * blur * scale) + CONFIDENCE * counts.diag()
    return (splat.T @ torch.linalg.solve(system, CONFIDENCE * splat @ mask.flatten().double())).view(mask.shape)


def test_solution_is_that_of_the_dense_system():
    torch.manual_seed(0)
    image = torch.randint(0, 60, (1, 3, 18, 21)).float()
    mask = (torch.rand(1, 18, 21) > 0.5).double()
    solved = bilateral_solve(image, mask, iterations=500, tolerance=1e-12)
    assert torch.allclose(solved, dense_solution(image, mask), atol=1e-8)


def test_the_blur_is_symmetric_and_knows_ten_neighbours_at_most():
    grid = BilateralGrid(torch.randint(0, 60, (1, 3, 40, 40), generator=torch.Generator().manual_seed(1)), (16, 16, 8))
    blur = torch.stack([grid.blur(row) for row in torch.eye(len(grid.owner), dtype=torch.float64)])
    assert torch.equal(blur, blur.T) and (blur.diagonal() == 10).all()
    assert (blur > 0).sum(1).max() <= 11 and (blur > 0).sum() > len(blur)


def test_a_mask_moves_to_the_edge():
    image, mask = halves()
    solved = bilateral_solve(image, mask)[0] > 0.5
    assert solved[:, :12].all() and not solved[:, 12:].any()


def test_pictures_of_a_batch_do_not_act_on_each_other():
    image, mask = halves()
    torch.manual_seed(0)
    images = torch.cat([image, torch.rand(1, 3, 20, 24) * 255])
    masks = torch.cat([mask, (torch.rand(1, 20, 24) > 0.5).float()])
    alone = torch.cat([bilateral_solve(images[i : i + 1], masks[i : i + 1]) for i in range(2)])
    assert torch.allclose(bilateral_solve(images, masks), alone, atol=1e-7)


def test_sizes_must_agree():
    with pytest.raises(ValueError, match=r"got \(1, 3, 20, 24\) and \(1, 10, 12\)"):
        bilateral_solve(halves()[0], torch.zeros(1, 10, 12))
