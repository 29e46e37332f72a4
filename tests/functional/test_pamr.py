"""PAMR against the official outputs, a plain version and values worked out by hand."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from ovdense.functional.pamr import (
    PAMRRefiner,
    Propagation,
    neighbour_offsets,
    neighbour_places,
    pamr,
    pamr_affinity,
    pamr_chunks,
    propagate,
)

OFFICIAL = Path(__file__).parents[1] / "data" / "official" / "pamr" / "io.safetensors"
SETTINGS = {"naclip_it10_d8_16": (8, 16), "talk2dino_it10_d1_2_4_8_12_24": (1, 2, 4, 8, 12, 24)}


@pytest.mark.parametrize("setting", SETTINGS)
def test_official_outputs(setting):
    data = load_file(OFFICIAL)
    inputs = [key.removeprefix("img_") for key in data if key.startswith("img_")]
    assert inputs
    for name in inputs:
        refined = pamr(data[f"img_{name}"], data[f"mask_in_{name}"], 10, SETTINGS[setting])
        torch.testing.assert_close(refined, data[f"{setting}_{name}"], atol=2e-5, rtol=0)


def plain_pamr(image, masks, num_iter, dilations):
    """PAMR as its definition reads, with a tensor over classes and neighbours."""
    masks = F.interpolate(masks, size=image.shape[-2:], mode="bilinear", align_corners=True)

    def neighbours(x, centre):
        out = []
        for d in dilations:
            padded = F.pad(x, [d] * 4, mode="replicate")
            for y in (0, d, 2 * d):
                for z in (0, d, 2 * d):
                    if centre or (y, z) != (d, d):
                        out.append(padded[..., y : y + x.shape[-2], z : z + x.shape[-1]])
        return torch.stack(out, 2)

    deviation = neighbours(image, True).std(2, keepdim=True)
    affinity = -(neighbours(image, False) - image[:, :, None]).abs() / (1e-8 + 0.1 * deviation)
    affinity = affinity.mean(1, keepdim=True).softmax(2)
    for _ in range(num_iter):
        masks = (neighbours(masks, False) * affinity).sum(2)
    return masks


@pytest.mark.parametrize("size", [(31, 20), (5, 40), (1, 1)])
def test_equals_the_definition_in_a_batch(size):
    generator = torch.Generator().manual_seed(0)
    image, masks = torch.randn(3, 3, *size, generator=generator), torch.rand(3, 7, 4, 6, generator=generator)
    expected = plain_pamr(image, masks, 3, (1, 3))
    for chunk in (1, 3, 32):
        torch.testing.assert_close(pamr(image, masks, 3, (1, 3), chunk), expected, atol=2e-6, rtol=0)


def test_bands_do_not_change_the_result(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    image, masks = torch.randn(1, 3, 33, 29, generator=generator), torch.rand(1, 4, 33, 29, generator=generator)
    expected = pamr(image, masks, 4)
    monkeypatch.setattr("ovdense.functional.pamr.BAND_ELEMENTS", 4 * 29 * 5)
    assert torch.equal(pamr(image, masks, 4), expected)


@pytest.mark.parametrize("block", [1 << 19, 70])
def test_bags_and_shifted_maps_agree(monkeypatch, block):
    # Both orders of work sum the neighbours in the same order; the masks that came in stay as they are.
    generator = torch.Generator().manual_seed(0)
    image, masks = torch.randn(2, 3, 23, 19, generator=generator), torch.rand(2, 8, 23, 19, generator=generator)
    monkeypatch.setattr("ovdense.functional.pamr.BLOCK_ELEMENTS", block)
    propagation, kept = Propagation(pamr_affinity(image, (2, 3)), (2, 3)), masks.clone()
    for chunk in (masks, masks[:, 1:7], masks.flip(0)):
        kept_chunk = chunk.clone()
        monkeypatch.setattr("ovdense.functional.pamr.FEWEST_CLASSES_FOR_BAGS", 1)
        bags = propagation(chunk, 3)
        assert torch.equal(chunk, kept_chunk)
        monkeypatch.setattr("ovdense.functional.pamr.FEWEST_CLASSES_FOR_BAGS", 99)
        torch.testing.assert_close(bags, propagation(chunk, 3), atol=1e-6, rtol=0)
    assert torch.equal(masks, kept)


def test_places_of_neighbours_repeat_the_border():
    # 2 x 3 pixels, numbered 0 1 2 / 3 4 5; the eight neighbours of pixel 0 row by row, without itself.
    assert neighbour_places((2, 3), (1,))[0].tolist() == [0, 0, 1, 0, 1, 3, 3, 4]
    assert neighbour_places((2, 3), (2,))[4].tolist() == [0, 1, 2, 3, 5, 3, 4, 5]


def test_one_step_by_hand():
    # Dilation 1, three pixels in a row with equal affinities 1/8: rows repeat, so that three of a pixel's eight
    # neighbours show the left pixel, three the right one and two the pixel itself.
    masks = torch.tensor([8.0, 16.0, 0.0]).view(1, 1, 1, 3)
    affinity = torch.full((1, 8, 1, 3), 1 / 8)
    # left: (3*8 + 3*16 + 2*8)/8 = 11; middle: (3*8 + 3*0 + 2*16)/8 = 7; right: (3*16 + 3*0 + 2*0)/8 = 6.
    expected = torch.tensor([11.0, 7.0, 6.0]).view(1, 1, 1, 3)
    assert torch.equal(propagate(masks, affinity, (1,), 1), expected)


def test_a_flat_image_spreads_evenly_and_affinities_sum_to_one():
    flat = torch.full((1, 3, 6, 7), 0.3)
    assert torch.allclose(pamr_affinity(flat, (1, 2)), torch.full((1, 16, 6, 7), 1 / 16))
    noisy = torch.rand(2, 3, 9, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(pamr_affinity(noisy).sum(1), torch.ones(2, 9, 8))


def test_edges_keep_the_mask_apart():
    # Black left half, white right half: the mask of the left half stays on its side.
    image = torch.zeros(1, 3, 8, 8)
    image[..., 4:] = 1
    masks = torch.zeros(1, 1, 8, 8)
    masks[..., :4] = 1
    refined = pamr(image, masks, 5, (1,))
    assert torch.equal(refined > 0.5, masks > 0.5)


def test_chunks_stream_the_same_maps():
    generator = torch.Generator().manual_seed(0)
    image, masks = torch.rand(1, 3, 20, 30, generator=generator), torch.rand(1, 5, 4, 6, generator=generator)
    parts = list(pamr_chunks(image, masks, 2, (1, 2), class_chunk=2))
    assert [start for start, _ in parts] == [0, 2, 4]
    refiner = PAMRRefiner(num_iter=2, dilations=(1, 2), class_chunk=2)
    assert torch.equal(torch.cat([part for _, part in parts], 1), refiner(image, masks))
    assert torch.equal(parts[1][1], list(refiner.chunks(image, masks))[1][1])


def test_no_iteration_only_resizes():
    masks = torch.rand(1, 2, 3, 4, generator=torch.Generator().manual_seed(0))
    expected = F.interpolate(masks, size=(9, 10), mode="bilinear", align_corners=True)
    assert torch.equal(pamr(torch.zeros(1, 3, 9, 10), masks, 0), expected)


def test_errors_name_what_came():
    assert len(neighbour_offsets((8, 16))) == 16
    with pytest.raises(ValueError, match=r"\(2, 3, 4, 4\) and \(1, 2, 4, 4\)"):
        pamr(torch.zeros(2, 3, 4, 4), torch.zeros(1, 2, 4, 4))
    with pytest.raises(ValueError, match=r"got \(0,\)"):
        pamr(torch.zeros(1, 3, 4, 4), torch.zeros(1, 2, 4, 4), dilations=(0,))
    with pytest.raises(ValueError, match=r"have 16 neighbours, got affinity \(1, 8, 4, 4\)"):
        propagate(torch.zeros(1, 2, 4, 4), torch.zeros(1, 8, 4, 4), (8, 16), 1)
    with pytest.raises(ValueError, match="got -1 and 32"):
        pamr(torch.zeros(1, 3, 4, 4), torch.zeros(1, 2, 4, 4), num_iter=-1)
