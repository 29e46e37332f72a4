"""Miniature data sets in their official layouts, written from the descriptions of ``ovdense/assets/datasets``."""

import json

import numpy as np
from PIL import Image

from ovdense.datasets.doctor.descriptions import load_description, parse_values
from ovdense.datasets.panoptic_files import write_segment_ids
from ovdense.models.vocabulary_files import load_vocabulary

SIZE = (12, 10)  # width and height of every picture


def write_miniature(name, root, pictures=3):
    """Writes ``pictures`` pictures for each split of a data set; returns its description."""
    description = load_description(name)
    for part in description["parts"]:
        WRITERS[part["kind"]](root, part, description, pictures)
    return description


def save_picture(path, seed=0, size=SIZE):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(noise).save(path)


def save_labels(path, labels):
    path.parent.mkdir(parents=True, exist_ok=True)
    labels = np.asarray(labels)
    Image.fromarray(labels.astype(np.uint8 if labels.max() < 256 else np.uint16)).save(path)


def label_values(description, part):
    rules = part.get("labels_rules") or description["labels"]
    return sorted(parse_values(rules["values"])), sorted(parse_values(rules.get("ignore", "")))


def write_maps(root, part, description, pictures):
    """Every class in turn, row by row, and a pixel of every ignored number at the end."""
    values, ignored = label_values(description, part)
    keys = [f"{part['name']}_{number}" for number in range(pictures)]
    for number, key in enumerate(keys):
        labels = np.resize(np.roll(values, -number * 40), SIZE[0] * SIZE[1])
        labels[len(labels) - len(ignored) :] = ignored
        save_picture(root / part["images"].format(key=key), hash_of(key))
        save_labels(root / part["labels"].format(key=key), labels.reshape(SIZE[::-1]))
    if part.get("list"):
        (root / part["list"]).parent.mkdir(parents=True, exist_ok=True)
        (root / part["list"]).write_text("".join(f"{key}\n" for key in keys))


def hash_of(text):
    return sum(ord(letter) * 31**place for place, letter in enumerate(text)) % 2**31


def write_heat(root, part, description, pictures):
    for number in range(pictures):
        key = f"{('hold', 'cut_with')[number % 2]}/{('cup', 'knife')[number % 2]}/{part['name']}_{number}"
        save_picture(root / part["images"].format(key=key), number)
        heat = np.zeros(SIZE[::-1], np.uint8)
        heat[2:5, 3:6] = 200
        save_labels(root / part["labels"].format(key=key), heat)


def write_points(root, part, description, pictures):
    from scipy.io import savemat

    for number in range(1, pictures + 1):
        key = f"IMG_{number}"
        save_picture(root / part["images"].format(key=key), hash_of(f"{part['name']}{number}"))
        path = root / part["labels"][0].format(key=key)
        path.parent.mkdir(parents=True, exist_ok=True)
        cell, inner = np.empty((1, 1), object), np.empty((1, 1), [("location", object), ("number", object)])
        inner[0, 0] = (np.array([[1.5, 2.0], [3.0, 4.0 + number]]), np.array([[2]]))
        cell[0, 0] = inner
        savemat(path, dict(image_info=cell))


def categories_of(description, things=None):
    names = load_vocabulary(description["vocabulary"]).classes if description.get("vocabulary") else ADE_OBJECTS
    categories = [dict(id=number, name=name, frequency="rcf"[number % 3]) for number, name in enumerate(names, 1)]
    return [dict(one, isthing=int(one["id"] <= things)) for one in categories] if things else categories


def images_of(root, part, pictures):
    images = []
    for number in range(1, pictures + 1):
        name = f"{part['name']}_{number:03}.jpg"
        if part["kind"] == "lvis":
            name = f"{part['name']}2017/{number:012}.jpg"
        save_picture(root / part["pictures"] / name, hash_of(name))
        image = dict(id=number, file_name=name, width=SIZE[0], height=SIZE[1])
        if part["kind"] == "lvis":
            del image["file_name"]
            url = f"http://images.cocodataset.org/{name}"
            image.update(coco_url=url, neg_category_ids=[3], not_exhaustive_category_ids=[])
        images.append(image)
    return images


def write_instances(root, part, description, pictures):
    outline = [[1, 1, 5, 1, 5, 4, 1, 4]]
    annotations = [
        dict(
            id=number, image_id=number, category_id=number, bbox=[1, 1, 4, 3], area=12, iscrowd=0, segmentation=outline
        )
        for number in range(1, pictures + 1)
    ]
    images = images_of(root, part, pictures)
    save_json(root / part["json"], dict(images=images, annotations=annotations, categories=categories_of(description)))


def write_panoptic(root, part, description, pictures):
    images, annotations = images_of(root, part, pictures), []
    for image in images:
        name = image["file_name"].replace(".jpg", ".png")
        ids = np.zeros(SIZE[::-1], np.int32)
        ids[1:4, 1:5], ids[6:] = 300, 70000
        (root / part["maps"]).mkdir(parents=True, exist_ok=True)
        write_segment_ids(root / part["maps"] / name, ids)
        segments = [
            dict(id=300, category_id=1, area=12, bbox=[1, 1, 4, 3], iscrowd=0),
            dict(id=70000, category_id=part["categories"], area=48, bbox=[0, 6, 12, 4], iscrowd=0),
        ]
        annotations.append(dict(image_id=image["id"], file_name=name, segments_info=segments))
    things = 80 if part["categories"] == 133 else 100
    content = dict(images=images, annotations=annotations, categories=categories_of(description, things))
    save_json(root / part["json"], content)


def save_json(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def ade_objects():
    from mmdet.datasets import ADE20KInstanceDataset

    return ADE20KInstanceDataset.METAINFO["classes"]


ADE_OBJECTS = ade_objects()
WRITERS = dict(
    label_maps=write_maps,
    heat_maps=write_heat,
    points=write_points,
    instances=write_instances,
    lvis=write_instances,
    panoptic=write_panoptic,
)
