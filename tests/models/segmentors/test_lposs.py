"""LPOSS and LPOSS+ through the segmentor, against the method written out in NumPy with dense matrices."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ovdense.models.decode_heads import LPOSSHead
from ovdense.models.segmentors.label_decoder import decode_labels
from ovdense.models.segmentors.refinement import build_refinement
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures

CLIP = dict(
    embed_dim=24,
    vision_cfg=dict(image_size=64, layers=2, width=32, head_width=16, patch_size=16),
    text_cfg=dict(context_length=77, vocab_size=49408, width=64, heads=1, layers=1),
)
DINO = dict(depth=2, embed_dim=24, num_heads=2, img_size=64)
SLIDE = dict(mode="slide", crop_size=(64, 48), stride=(32, 40), window_batch=5)
ALPHA, K, GAMMA, SIGMA, RADIUS, TAU = 0.95, 9, 3.0, 0.01, 2, 0.3

pytestmark = pytest.mark.filterwarnings("ignore:no pretrained weights")


def segmentor(plus=False, patch=16, scale=1, mode=SLIDE, head=None, refine=None, names=5):
    torch.manual_seed(0)
    pixels = dict(type="PixelPropagation", radius=RADIUS, tau=TAU, **(refine or {}))
    return MODELS.build(
        dict(
            type="OpenVocabSegmentor",
            backbone=dict(
                type="CompanionBackbone",
                model=CLIP,
                companion=dict(
                    type="DINOBackbone", model="vit_tiny_patch16_224", model_options=dict(DINO, patch_size=patch)
                ),
                companion_scale=scale,
            ),
            decode_head={"type": "LPOSSHead", "neighbours": K, **(head or {})},
            vocabulary=[f"thing {index}" for index in range(names)],
            class_embeddings=torch.randn(names, 24),
            refine=pixels if plus else None,
            test_cfg=dict(**mode, logit_scale=1.0, keep_logits=True),
        )
    )


def pictures(size, count=3):
    """Smooth pictures, so that neighbouring pixels are alike."""
    coarse = torch.randn(count, 3, 4, 5, generator=torch.Generator().manual_seed(1))
    return F.interpolate(coarse, size=size, mode="bilinear")


def solve(weights, scores):
    """Scores (N,C) through (1 - alpha) (I - alpha D^-1/2 W D^-1/2)^-1."""
    np.fill_diagonal(weights, 0)
    root = 1 / np.sqrt(weights.sum(1))
    matrix = np.eye(len(weights)) - ALPHA * root[:, None] * weights * root
    return (1 - ALPHA) * np.linalg.solve(matrix, scores)


def reference(model, image, size, plus):
    """Logits (K,*size) of one image (3,H,W), window by window, with a dense graph over all of them."""
    height, width = image.shape[-2:]
    boxes = []
    for y in range(0, max(height - 64 + 31, 0) // 32 + 1):
        for x in range(0, max(width - 48 + 39, 0) // 40 + 1):
            bottom, right = min(32 * y + 64, height), min(40 * x + 48, width)
            boxes.append((max(bottom - 64, 0), bottom, max(right - 48, 0), right))
    rows = F.normalize(model.class_embeddings.rows, dim=1).double().numpy()
    features, positions, scores, grids = [], [], [], []
    for top, bottom, left, right in boxes:
        window = image[None, :, top:bottom, left:right]
        window = F.pad(window, (0, -window.shape[3] % 16, 0, -window.shape[2] % 16))
        beside = model.backbone.companion_maps(window)[0].double()
        dense = F.normalize(model.backbone.clip(window).dense, dim=1).double()
        dense = F.normalize(F.interpolate(dense, size=beside.shape[1:], mode="bilinear"), dim=1)[0]
        grids.append(tuple(beside.shape[1:]))
        cell = window.shape[2] / beside.shape[1]
        for i in range(grids[-1][0]):
            for j in range(grids[-1][1]):
                features.append(beside[:, i, j].numpy())
                positions.append((top + (i + 0.5) * cell, left + (j + 0.5) * cell))
                scores.append(rows @ dense[:, i, j].numpy())
    features, positions, scores = (np.stack(x) for x in (features, positions, scores))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    cosine, weights = features @ features.T, np.zeros((len(features),) * 2)
    for i, row in enumerate(cosine):
        for j in np.argsort(-row)[:K]:
            weights[i, j] = max(row[j], 0) ** GAMMA * np.exp(-SIGMA * np.linalg.norm(positions[i] - positions[j]))
    scores = torch.from_numpy(solve(weights + weights.T, scores))
    full, count = torch.zeros(scores.shape[1], height, width).double(), torch.zeros(height, width)
    for (top, bottom, left, right), grid in zip(boxes, grids):
        part, scores = scores[: grid[0] * grid[1]], scores[grid[0] * grid[1] :]
        side = (bottom - top + -(bottom - top) % 16, right - left + -(right - left) % 16)
        part = F.interpolate(part.T.reshape(1, -1, *grid), size=side, mode="bilinear")[0]
        full[:, top:bottom, left:right] += part[:, : bottom - top, : right - left]
        count[top:bottom, left:right] += 1
    full = full / count
    if plus:
        full = pixel_reference(full, image, model.backbone)
    return F.interpolate(full[None], size=size, mode="bilinear")[0]


def pixel_reference(maps, image, backbone):
    """Maps (K,H,W) through the dense graph of the pixels; Lab as OpenCV computes it."""
    import cv2

    height, width = image.shape[-2:]
    mean, std = (np.array(x, dtype=np.float32) for x in (backbone.image_mean, backbone.image_std))
    rgb = np.clip(image.permute(1, 2, 0).numpy() * std + mean, 0, 1)
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).reshape(-1, 3).astype(float) / (100, 128, 128)
    y, x = (axis.ravel() for axis in np.mgrid[:height, :width])
    near = (abs(y[:, None] - y) <= RADIUS) & (abs(x[:, None] - x) <= RADIUS)
    weights = np.where(near, np.exp(-np.linalg.norm(lab[:, None] - lab, axis=2) / TAU), 0)
    return torch.from_numpy(solve(weights, maps.flatten(1).numpy().T).T.reshape(-1, height, width).copy())


WRITTEN_OUT = [  # size, patch of the companion, its scale, pixels too
    ((64, 48), 16, 1, False),  # one window
    ((66, 90), 16, 1, False),  # several
    ((40, 38), 16, 1, True),  # a picture smaller than a window
    ((30, 60), 16, 1, True),
    ((64, 70), 8, 1, False),  # companions of a finer grid
    ((24, 52), 8, 1, True),
    ((64, 48), 16, 2, False),
]


@pytest.mark.parametrize(("size", "patch", "scale", "plus"), WRITTEN_OUT)
def test_equals_the_method_written_out(size, patch, scale, plus):
    solved = dict(num_iter=200, tol=1e-9)
    model = segmentor(plus, patch, scale, head=solved, refine=solved)
    (image,) = pictures(size, 1)
    out = (size[0] + 9, size[1] - 5)
    (sample,) = model.decode(model.encode(image[None], [dict(ori_shape=out)]))
    expected = reference(model, image, out, plus)
    difference = sample.seg_logits.data - expected
    assert expected.std() > 1e-3
    assert difference.abs().max() < (2e-3 if plus else 2e-5) * expected.abs().max()


@pytest.mark.parametrize("plus", [False, True], ids=["patches", "pixels"])
@pytest.mark.parametrize("size", [(80, 110), (64, 144), (131, 50), (30, 40)])
@pytest.mark.parametrize("mode", [SLIDE, dict(mode="whole")], ids=["slide", "whole"])
def test_a_batch_is_its_images(mode, size, plus):
    model, images = segmentor(plus, mode=mode), pictures(size)
    metas = [dict(ori_shape=size), dict(ori_shape=(40, 97)), dict(ori_shape=(101, 33))]
    together = model.decode(model.encode(images, metas))
    for image, meta, sample in zip(images, metas, together):
        (alone,) = model.decode(model.encode(image[None], [meta]))
        logits = alone.seg_logits.data
        assert logits.shape == (5, *meta["ori_shape"]) and logits.std() > 1e-3
        torch.testing.assert_close(sample.seg_logits.data, logits, atol=1e-5, rtol=0)
        assert (sample.pred_sem_seg.data == alone.pred_sem_seg.data).float().mean() > 0.999


def test_the_head_keeps_pictures_apart():
    """A whole batch through the head, as mm's ``tensor`` mode runs it."""
    model, images = segmentor(), pictures((64, 80))
    together = model(images, mode="tensor")
    for index, image in enumerate(images):
        torch.testing.assert_close(together[index], model(image[None], mode="tensor")[0], atol=1e-5, rtol=0)


def test_more_neighbours_than_patches():
    image = pictures((48, 64), 1)
    few, many = (segmentor(head=dict(neighbours=k)) for k in (12 + 12, 10_000))
    few, many = (model.decode(model.encode(image))[0].seg_logits.data for model in (few, many))
    torch.testing.assert_close(few, many)


def test_classes_that_cannot_win_change_no_label():
    image = pictures((64, 90), 1)
    some, every = (segmentor(True, refine=dict(undominated_only=only), names=40) for only in (True, False))
    logits = some.window_logits(some.encode(image))
    refined = []
    logits.refine = lambda maps, refine=logits.refine: refined.append(len(maps)) or refine(maps)
    labels, _ = decode_labels(logits, some.label_rules())
    (sample,) = every.decode(every.encode(image))
    assert sum(refined) < 40
    assert torch.equal(labels, sample.pred_sem_seg.data[0].long())


def test_a_probability_hears_every_class():
    model = segmentor(True, names=20)
    object.__setattr__(model.test_cfg, "return_prob", True)
    (sample,) = model.decode(model.encode(pictures((64, 48), 1)))
    expected = sample.seg_logits.data.softmax(0).max(0).values
    torch.testing.assert_close(sample.seg_prob.data[0], expected)


@pytest.mark.parametrize("plus", [False, True], ids=["patches", "pixels"])
def test_padding_and_mirroring_are_undone(plus):
    """Rows and columns that a batch was padded with are no part of the result, and neither is a flip."""
    model = segmentor(plus, mode=dict(mode="slide", crop_size=16, stride=16))
    image = pictures((48, 64), 1)
    padded = F.pad(image.flip(-1), (0, 16, 0, 32))
    meta = dict(ori_shape=(50, 61), img_padding_size=(0, 16, 0, 32), flip=True, flip_direction="horizontal")
    (sample,) = model.decode(model.encode(padded, [meta]))
    assert sample.seg_logits.data.shape == (5, 50, 61)
    guides = []
    if plus:
        bind = model.refine.bind
        model.refine.bind = lambda picture, size: guides.append((picture, size)) or bind(picture, size)
        model.window_logits(model.encode(padded, [meta])[0])
        (picture, size), backbone = guides[0], model.backbone
        mean, std = (torch.tensor(x).view(1, 3, 1, 1) for x in (backbone.image_mean, backbone.image_std))
        torch.testing.assert_close(picture, (image * std + mean).clamp(0, 1))
        assert size == (50, 61)


def test_the_backbone_says_where_its_cells_lie():
    """Two windows of each of two pictures; the second begins at pixel 40."""
    model = segmentor()
    extras = model.encode(pictures((64, 88), 2)).features.extras
    assert extras["picture"].tolist() == [0, 0, 1, 1]
    assert extras["positions"][0, :, 0, 0].tolist() == [8, 8]
    assert extras["positions"][1, :, 3, 2].tolist() == [56, 80]
    assert extras["companion"].shape == (4, 24, 4, 3)


def test_settings_and_features_that_do_not_fit():
    with pytest.raises(ValueError, match="must divide the companion's stride of 16 pixels, got 3"):
        segmentor(scale=3)
    with pytest.raises(ValueError, match=r"CompanionBackbone.*no extras"):
        LPOSSHead()(DenseFeatures(dense=torch.rand(1, 4, 2, 2)), torch.rand(3, 4))
    with pytest.raises(ValueError, match="'PixelPropagation'"):
        build_refinement(dict(type="CRF"))
