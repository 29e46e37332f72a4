"""Names for given regions, by every way of showing them, on a drawn scene."""

import numpy as np
import pytest
import torch

from ovdense.apis import Detector
from ovdense.apis.regions import PROMPTS, RegionNamer, as_boxes
from ovdense.datasets.scenes import SceneGenerator


@pytest.fixture(scope="module")
def detector():
    return Detector.from_pretrained("scenes")


@pytest.fixture(scope="module")
def scene():
    return SceneGenerator(size=(96, 144), num_objects=(2, 3), seed=4321)[3]


@pytest.fixture(scope="module")
def picture(scene):
    return scene.image[..., ::-1].copy()


@pytest.mark.parametrize("prompt", [name for name in PROMPTS if name != "alpha"])  # needs other weights
def test_regions_have_unit_features_that_do_not_depend_on_each_other(detector, scene, picture, prompt):
    namer = RegionNamer(detector, prompt=prompt, batch=1)
    boxes = [list(map(float, one.box)) for one in scene.objects[:2]]
    together = namer.extract_region_features(picture, boxes=boxes)
    alone = torch.cat([namer.extract_region_features(picture, boxes=[box]) for box in boxes])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(together.norm(dim=1), torch.ones(len(boxes)))


def test_objects_are_named_among_all_classes(detector, scene, picture):
    namer = RegionNamer(detector)
    masks = np.stack([scene.instances == one.instance_id for one in scene.objects if not one.ignored])
    names = namer.classify_regions(picture, masks=masks, vocabulary="scenes-127")
    np.testing.assert_allclose(names.scores.sum(1), 1, atol=1e-5)
    truth = [one.name for one in scene.objects if not one.ignored]
    found = [[name for name, _ in best] for best in names.top(10)]
    assert any(name in best for name, best in zip(truth, found))


def test_thousands_of_names_take_one_pass_and_no_regions_are_fine(detector, picture):
    detector.set_vocabulary([f"thing {number}" for number in range(3000)])
    namer = RegionNamer(detector)
    names = namer.classify_regions(picture, boxes=[[0, 0, 50, 50]])
    assert names.scores.shape == (1, 3000) and len(names.top(5)[0]) == 5
    assert namer.classify_regions(picture, boxes=[]).scores.shape == (0, 3000)


def test_negatives_are_taken_off(detector, picture):
    namer, boxes = RegionNamer(detector), [[0, 0, 50, 50], [20, 20, 90, 90]]
    plain = namer.classify_regions(picture, boxes=boxes, vocabulary="cat, dog")
    less = namer.classify_regions(picture, boxes=boxes, vocabulary="cat, dog", negatives="cat, dog")
    np.testing.assert_allclose(less.similarity, plain.similarity - plain.similarity.mean(1, keepdims=True), atol=1e-6)


def test_bad_regions_are_refused(detector, picture):
    namer = RegionNamer(detector)
    with pytest.raises(ValueError, match="one of them"):
        namer.extract_region_features(picture)
    with pytest.raises(ValueError, match="no area within the picture of 144 x 96 pixels"):
        namer.extract_region_features(picture, boxes=[[50, 0, 50, 20]])
    with pytest.raises(ValueError, match=r"masks are \(R, 96, 144\) for this picture"):
        namer.extract_region_features(picture, masks=np.ones((1, 5, 5), bool))
    with pytest.raises(ValueError, match="prompt is one of"):
        RegionNamer(detector, prompt="arrow")
    with pytest.raises(ValueError, match="x0,y0,x1,y1 in pixels, got '1,2,3'"):
        as_boxes(["1,2,3"])
    assert as_boxes(["1,2,3,4"]) == [[1, 2, 3, 4]]


def test_named_regions_are_painted(detector, picture):
    names = RegionNamer(detector).classify_regions(picture, boxes=[[5, 5, 60, 60]], vocabulary="ball, sky")
    painted = names.plot(picture, legend=False, max_side=max(picture.shape[:2]))
    assert painted.shape == picture.shape and (painted != picture).any()
    empty = RegionNamer(detector).classify_regions(picture, boxes=[], vocabulary="ball, sky")
    assert empty.plot(picture).ndim == 3
