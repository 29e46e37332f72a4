"""Label propagation against dense solves in NumPy, SciPy's conjugate gradients, and graphs worked out by hand."""

import numpy as np
import pytest
import torch
from scipy.sparse.linalg import cg

from ovdense.functional import label_propagation
from ovdense.functional.label_propagation import (
    PixelGraph,
    half_offsets,
    lposs_colours,
    patch_graph,
    propagate_labels,
    undominated,
)

ALPHA = 0.95
SOLVED = dict(alpha=ALPHA, num_iter=300, tol=1e-10)


def normalised(weights):
    """D^-1/2 W D^-1/2 without the diagonal; a node without neighbours keeps a row of zeros."""
    weights = weights - np.diag(np.diag(weights))
    degree = weights.sum(1)
    root = np.where(degree > 0, 1 / np.sqrt(np.where(degree > 0, degree, 1)), 0)
    return root[:, None] * weights * root


def plain_patch_matrix(features, positions, k, gamma, sigma):
    """The patches' graph as the paper reads, node by node."""
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    cosine = unit @ unit.T
    weights = np.zeros_like(cosine)
    for i, row in enumerate(cosine):
        for j in np.argsort(-row)[:k]:
            distance = np.sqrt(((positions[i] - positions[j]) ** 2).sum())
            weights[i, j] = max(row[j], 0) ** gamma * np.exp(-sigma * distance)
    return normalised(weights + weights.T)


def plain_pixel_matrix(colours, radius, tau):
    """The pixels' graph as the paper reads, pair by pair."""
    _, height, width = colours.shape
    weights = np.zeros((height * width, height * width))
    for y in range(height):
        for x in range(width):
            for v in range(max(0, y - radius), min(height, y + radius + 1)):
                for u in range(max(0, x - radius), min(width, x + radius + 1)):
                    distance = np.sqrt(((colours[:, y, x] - colours[:, v, u]) ** 2).sum())
                    weights[y * width + x, v * width + u] = np.exp(-distance / tau)
    return normalised(weights)


def dense_solution(matrix, scores):
    return np.linalg.solve(np.eye(len(matrix)) - ALPHA * matrix, scores)


def nodes(count=40, channels=6, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, channels)) + 1.0, rng.integers(0, 200, (count, 2)).astype(float)


def test_two_patches_by_hand():
    """One edge: S = [[0, 1], [1, 0]] whatever its weight; (I - S / 2)^-1 = [[4, 2], [2, 4]] / 3."""
    graph = patch_graph(torch.tensor([[1.0, 0.0], [1.0, 1.0]]), torch.tensor([[0.0, 0.0], [3.0, 4.0]]))
    torch.testing.assert_close(graph.to_dense(), torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
    solved = propagate_labels(torch.tensor([[3.0, 0.0], [0.0, 6.0]]), graph.matmul, alpha=0.5)
    torch.testing.assert_close(solved, torch.tensor([[4.0, 4.0], [2.0, 8.0]]))


def test_three_patches_in_a_row_by_hand():
    """Equal features, distances 0, 10, 20 pixels: weights 2 e^-0.1 and 2 e^-0.2."""
    graph = patch_graph(torch.ones(3, 4), torch.tensor([[0.0, 0.0], [0.0, 10.0], [0.0, 20.0]])).to_dense()
    near, far = np.exp(-0.1), np.exp(-0.2)
    weights = np.array([[0, near, far], [near, 0, near], [far, near, 0]])
    torch.testing.assert_close(graph.double().numpy(), normalised(weights), atol=1e-6, rtol=0)


def test_opposite_patches_stay_alone():
    graph = patch_graph(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), torch.zeros(2, 2))
    scores = torch.tensor([[1.0], [2.0]])
    assert graph.to_dense().abs().sum() == 0
    torch.testing.assert_close(propagate_labels(scores, graph.matmul), scores)


@pytest.mark.parametrize("k", [2, 7, 40, 1000])
def test_patches_equal_the_dense_solve(k, monkeypatch):
    features, positions = nodes()
    matrix = plain_patch_matrix(features, positions, k, 3.0, 0.01)
    scores = np.random.default_rng(1).normal(size=(40, 5))
    for elements in (1 << 23, 200):
        monkeypatch.setattr(label_propagation, "BLOCK_ELEMENTS", elements)
        graph = patch_graph(torch.tensor(features), torch.tensor(positions), neighbours=k)
        np.testing.assert_allclose(graph.to_dense().numpy(), matrix, atol=1e-12)
    solved = propagate_labels(torch.tensor(scores), graph.matmul, **SOLVED)
    np.testing.assert_allclose(solved.numpy(), dense_solution(matrix, scores), atol=1e-7)


@pytest.mark.parametrize("num_iter", [1, 10])
def test_stopping_early_gives_what_scipy_gives(num_iter):
    """Class by class, with a class of zeros among them and one that is solved at once."""
    features, positions = nodes()
    matrix = plain_patch_matrix(features, positions, 7, 3.0, 0.01)
    system = np.eye(40) - ALPHA * matrix
    scores = np.random.default_rng(1).normal(size=(40, 6))
    scores[:, 2] = 0
    scores[:, 4] = np.linalg.eigh(system)[1][:, 3]
    graph = patch_graph(torch.tensor(features), torch.tensor(positions), neighbours=7)
    solved = propagate_labels(torch.tensor(scores), graph.matmul, num_iter=num_iter)
    expected = np.stack([cg(system, one, rtol=1e-6, maxiter=num_iter)[0] for one in scores.T], axis=1)
    np.testing.assert_allclose(solved.numpy(), expected, atol=1e-10)


def test_single_precision_is_enough():
    features, positions = nodes(200)
    scores = torch.rand(200, 9, dtype=torch.float64)
    solved = []
    for dtype in (torch.float32, torch.float64):
        graph = patch_graph(torch.tensor(features, dtype=dtype), torch.tensor(positions, dtype=dtype), neighbours=50)
        solved.append(propagate_labels(scores.to(dtype), graph.matmul, num_iter=60).double())
    torch.testing.assert_close(solved[0], solved[1], atol=0, rtol=1e-4)


def test_two_pixels_by_hand():
    """One edge again, of any weight; a third pixel of a colour too far to underflow keeps its score."""
    graph = PixelGraph(torch.tensor([[[0.0, 0.005, 9.0]]]), radius=1)
    maps = torch.tensor([[[3.0, 0.0, 7.0]], [[0.0, 6.0, 1.0]]])
    expected = torch.tensor([[[4.0, 2.0, 7.0]], [[4.0, 8.0, 1.0]]])
    torch.testing.assert_close(graph.propagate(maps, alpha=0.5), expected)


@pytest.mark.parametrize(("size", "radius"), [((5, 7), 1), ((6, 4), 2), ((3, 9), 6), ((1, 6), 2), ((1, 1), 3)])
def test_pixels_equal_the_dense_solve(size, radius, monkeypatch):
    generator = torch.Generator().manual_seed(0)
    colours = lposs_colours(torch.rand(3, *size, generator=generator).double() * 0.1)
    maps = torch.randn(20, *size, generator=generator).double()
    matrix = plain_pixel_matrix(colours.numpy(), radius, 0.05)
    expected = dense_solution(matrix, maps.flatten(1).numpy().T).T.reshape(20, *size)
    graph = PixelGraph(colours, radius=radius, tau=0.05)
    np.testing.assert_allclose(graph.smooth(maps).flatten(1).numpy(), maps.flatten(1).numpy() @ matrix, atol=1e-12)
    np.testing.assert_allclose(graph.propagate(maps, **SOLVED).numpy(), expected, atol=1e-6)
    monkeypatch.setattr(label_propagation, "BAND_ELEMENTS", 1)
    monkeypatch.setattr(label_propagation, "CLASSES_AT_ONCE", 3)
    np.testing.assert_allclose(graph.propagate(maps, **SOLVED).numpy(), expected, atol=1e-6)


def test_pixels_stop_early_as_scipy_does():
    colours = lposs_colours(torch.rand(3, 6, 5, generator=torch.Generator().manual_seed(0)).double() * 0.1)
    maps = torch.rand(3, 6, 5).double()
    system = np.eye(30) - ALPHA * plain_pixel_matrix(colours.numpy(), 2, 0.05)
    expected = [cg(system, one.numpy(), rtol=1e-6, maxiter=10)[0] for one in maps.flatten(1)]
    solved = PixelGraph(colours, radius=2, tau=0.05).propagate(maps)
    np.testing.assert_allclose(solved.flatten(1).numpy(), np.stack(expected), atol=1e-10)


def test_labels_flow_to_the_edge_of_a_colour():
    """A score that ends two pixels short of the colour's edge is carried to it and not across."""
    picture = torch.zeros(3, 12, 16)
    picture[..., 8:] = 1.0
    maps = torch.zeros(2, 12, 16)
    maps[0, :, :6], maps[1, :, 6:] = 1.0, 1.0
    labels = PixelGraph(lposs_colours(picture)).propagate(maps).argmax(0)
    assert torch.equal(labels, (torch.arange(16) >= 8).long().expand(12, 16))


def test_half_the_neighbours():
    assert half_offsets(1) == [(0, 1), (1, -1), (1, 0), (1, 1)]
    both = half_offsets(6) + [(-dy, -dx) for dy, dx in half_offsets(6)]
    assert len(both) == len(set(both)) == 13 * 13 - 1


def test_undominated_by_hand():
    scores = torch.tensor([[3.0, 1.0], [1.0, 3.0], [2.0, 2.0], [0.0, 0.5], [3.0, 1.0], [1.0, 2.9]])
    assert undominated(scores).tolist() == [True, True, True, False, True, True]


def test_dominated_classes_never_win():
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(30, 24, generator=generator).double() + torch.rand(30, 1, generator=generator).double() * 2
    kept = undominated(scores)
    assert 1 < kept.sum() < 30
    graph = PixelGraph(torch.rand(1, 4, 6, generator=generator).double() * 0.02, radius=2)
    winners = graph.propagate(scores.view(30, 4, 6), **SOLVED).argmax(0)
    assert bool(kept[winners].all())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: patch_graph(torch.rand(4, 3), torch.rand(5, 2)), r"\(4, 3\), \(5, 2\)"),
        (lambda: patch_graph(torch.rand(4, 3), torch.rand(4, 2), neighbours=0), "got 0"),
        (lambda: PixelGraph(torch.rand(3, 4, 4), tau=0.0), "tau > 0, got"),
        (lambda: propagate_labels(torch.rand(4, 2), lambda x: x, alpha=1.0), "below 1, got 1.0"),
        (lambda: propagate_labels(torch.rand(4, 2), lambda x: x, num_iter=0), "at least 1, got 0"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
