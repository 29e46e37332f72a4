import json

import cv2
import numpy as np
import pytest
import torch

from ovdense.registry import DATASETS, TRANSFORMS

PIPELINE = [
    dict(type="LoadImageFromFile"),
    dict(type="ovdense.CenterCrop", size=6),
    dict(type="mmseg.PackSegInputs", meta_keys=("img_path", "caption")),
]
IMAGES = [dict(id=7, file_name="a.png"), dict(id=9, file_name="deep/b.png"), dict(id=11, file_name="uncaptioned.png")]
CAPTIONS = [
    dict(image_id=7, caption=" A cat\n on a mat. "),
    dict(image_id=9, caption="A dog."),
    dict(image_id=7, caption="  "),
    dict(image_id=7, caption="A sleeping cat."),
]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "train" / "deep").mkdir(parents=True)
    for name, value in (("a.png", 10), ("deep/b.png", 20)):
        cv2.imwrite(str(tmp_path / "train" / name), np.full((8, 10, 3), value, np.uint8))
    return tmp_path


def dataset(folder, images=IMAGES, annotations=CAPTIONS, **options):
    content = dict(images=images, annotations=annotations)
    (folder / "captions.json").write_text(json.dumps(content))
    options = dict(data_prefix=dict(img_path="train"), pipeline=PIPELINE) | options
    return DATASETS.build(
        dict(type="ovdense.CocoCaptionsDataset", data_root=str(folder), ann_file="captions.json", **options)
    )


def test_an_entry_a_caption(folder):
    captions = dataset(folder)
    assert [captions[index]["data_samples"].caption for index in range(len(captions))] == [
        "A cat on a mat.",
        "A dog.",
        "A sleeping cat.",
    ]
    item = captions[1]
    assert item["inputs"].shape == (3, 6, 6) and int(item["inputs"].max()) == 20
    assert item["data_samples"].img_path.endswith("b.png")


def test_what_is_wrong_is_said(folder):
    with pytest.raises(FileNotFoundError, match=r"1 of 2 captioned pictures.*got none at deep/c\.png"):
        dataset(folder, images=[IMAGES[0], dict(id=9, file_name="deep/c.png")])
    with pytest.raises(ValueError, match="captions of 1 pictures that are not among its images, got image_id 9"):
        dataset(folder, images=IMAGES[:1])
    with pytest.raises(ValueError, match=r"'annotations' must be a list of entries with image_id and caption \(this"):
        dataset(folder, annotations=[dict(image_id=7, bbox=[0, 0, 1, 1])])
    with pytest.raises(ValueError, match="holds no captions, got 1 annotations"):
        dataset(folder, annotations=CAPTIONS[2:3])
    with pytest.raises(FileNotFoundError, match="no folder of pictures"):
        dataset(folder, data_prefix=dict(img_path="val"))
    (folder / "broken.json").write_text("{")
    options = dict(type="ovdense.CocoCaptionsDataset", data_root=str(folder), data_prefix=dict(img_path="train"))
    with pytest.raises(ValueError, match="is no json file"):
        DATASETS.build(dict(options, ann_file="broken.json"))
    with pytest.raises(FileNotFoundError, match=r"no caption file .*captions_train2014\.json"):
        DATASETS.build(dict(options, ann_file="missing.json"))


def test_the_crop_is_torchvisions():
    from torchvision.transforms.functional import center_crop

    crop = TRANSFORMS.build(dict(type="ovdense.CenterCrop", size=4))
    for height, width in ((9, 11), (4, 7), (8, 6)):
        image = np.arange(height * width * 3, dtype=np.float32).reshape(height, width, 3)
        expected = center_crop(torch.from_numpy(image).permute(2, 0, 1), [4, 4]).permute(1, 2, 0).numpy()
        assert np.array_equal(crop(dict(img=image))["img"], expected)
    assert crop(dict(img=np.zeros((2, 9, 3))))["img_shape"] == (2, 4)
    with pytest.raises(ValueError, match="at least 1 pixel, got 0"):
        TRANSFORMS.build(dict(type="ovdense.CenterCrop", size=0))
