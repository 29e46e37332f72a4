"""Pairs of a mask and a noun out of pictures with captions, to adapt a CLIP to masks (OVSeg, arXiv 2210.04150).

    python tools/dataset_converters/mine_mask_nouns.py data/coco/annotations/captions_train2017.json \\
        data/coco/train2017 data/coco/mask_nouns.jsonl --clip ViT-L-14:openai --masks proposals.json

The nouns of each caption are matched by CLIP to masked crops of the picture: a noun takes the proposal that is nearest
to it. Proposals are COCO results (``[{"image_id": ..., "segmentation": ...}, ...]``) of ``--masks``, or those of a
detector (``--detector lite``). Nouns are the words of a caption that are in a lexicon, the longest first, plurals too:
the names of LVIS, COCO-Stuff and ADE20K, or ``--nouns``; with ``--spacy MODEL`` the heads of spaCy's noun phrases.

Results are kept picture by picture: the same command goes on where it was stopped. ``MaskNounDataset`` reads the file.
"""

import argparse
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from pycocotools import mask as coco_mask
from rich.progress import track
from torch import Tensor

import ovdense  # noqa: F401  (first: it repairs missing binaries)

LEXICONS = ("lvis-1203", "coco-stuff-171", "ade20k-150")
LONGEST = 3  # words of a noun


def lexicon(source: str | None = None) -> frozenset[str]:
    """Nouns in lower case: of the shipped vocabularies, or of anything that ``load_vocabulary`` takes."""
    from ovdense.models.vocabulary_files import load_vocabulary

    words = set()
    for name in LEXICONS if source is None else (source,):
        vocabulary = load_vocabulary(name)
        words.update(phrase.lower().replace("_", " ") for phrase in (*vocabulary.classes, *vocabulary.flat_phrases))
    return frozenset(word for word in words if word)


def singulars(word: str) -> Iterator[str]:
    """The word itself, and what it may be the plural of."""
    yield word
    for ending, single in (("ies", "y"), ("ves", "f"), ("ves", "fe"), ("es", ""), ("s", "")):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            yield word[: -len(ending)] + single
    if word in ("men", "women", "children", "people", "mice", "geese"):
        yield dict(men="man", women="woman", children="child", people="person", mice="mouse", geese="goose")[word]


def nouns_of(caption: str, words: frozenset[str]) -> list[str]:
    """The caption's nouns in their order, each once; of overlapping ones the longest."""
    tokens, found, start = re.findall(r"[a-z][a-z'-]*", caption.lower()), [], 0
    while start < len(tokens):
        for length in range(min(LONGEST, len(tokens) - start), 0, -1):
            head = " ".join(tokens[start : start + length - 1])
            ends = singulars(tokens[start + length - 1])
            noun = next((name for end in ends if (name := f"{head} {end}".strip()) in words), None)
            if noun is not None:
                found.append(noun)
                start += length
                break
        else:
            start += 1
    return list(dict.fromkeys(found))


def spacy_parser(model: str) -> Callable[[str], list[str]]:
    """Heads of the noun phrases of a caption, by spaCy.

    Raises:
        ValueError: spaCy or its model is not installed.
    """
    try:
        import spacy
    except ImportError:
        raise ValueError(
            "--spacy needs spaCy, which is not installed: pip install spacy, or leave --spacy out to take the nouns "
            "of a lexicon"
        ) from None
    try:
        parse = spacy.load(model)
    except OSError:
        raise ValueError(
            f"spaCy has no model {model!r}: python -m spacy download {model}, or leave --spacy out"
        ) from None
    return lambda caption: list(
        dict.fromkeys(chunk.root.lemma_.lower() for chunk in parse(caption).noun_chunks if chunk.root.pos_ == "NOUN")
    )


def match_nouns(rows: Tensor, regions: Tensor) -> tuple[Tensor, Tensor]:
    """Nearest region of each noun and its cosine, (N,C) x (R,C) -> (N,), (N,)."""
    scores, index = (F.normalize(rows, dim=-1) @ F.normalize(regions, dim=-1).T).max(dim=1)
    return index, scores


def resume(path: Path) -> set[str]:
    """Pictures that are finished; lines of a picture that is not are taken off the file."""
    if not path.is_file():
        return set()
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:  # the last line, if the run was stopped while it was written
            continue
    done = {line["image"] for line in lines if "pairs" in line}
    kept = "".join(json.dumps(line) + "\n" for line in lines if line["image"] in done)
    partial = path.with_suffix(".part")
    partial.write_text(kept, encoding="utf-8")
    partial.replace(path)
    return done


def pairs_of(image: np.ndarray, masks: Tensor, nouns: list[str], classifier, encoder) -> list[dict]:
    """The pairs of one RGB picture (H,W,3): noun, run lengths, score."""
    from ovdense.structures import Vocabulary

    if not nouns or not len(masks):
        return []
    with torch.no_grad():
        pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).float()
        regions, valid = classifier(pixels, masks)
        if not len(regions):
            return []
        rows = encoder.encode(Vocabulary(tuple(nouns), tuple((noun,) for noun in nouns)), progress=False).rows
        index, scores = match_nouns(rows, regions.cpu())
    masks, pairs = masks[valid], []
    for noun, place, score in zip(nouns, index.tolist(), scores.tolist()):
        rle = coco_mask.encode(np.asfortranarray(masks[place].cpu().numpy(), np.uint8))
        segmentation = dict(size=[int(side) for side in rle["size"]], counts=rle["counts"].decode())
        pairs.append(dict(noun=noun, segmentation=segmentation, score=round(score, 4)))
    return pairs


def masks_of_file(path: Path, images: Iterable[dict]) -> Callable[[dict, np.ndarray], Tensor]:
    """Proposals by picture out of COCO results or a COCO document."""
    from ovdense.apis import read_masks

    content = json.loads(path.read_text(encoding="utf-8"))
    by_image = defaultdict(list)
    for item in content["annotations"] if isinstance(content, dict) else content:
        by_image[item["image_id"]].append(item)
    if not by_image.keys() & {entry["id"] for entry in images}:
        raise ValueError(f"{path} has proposals of none of the captioned pictures (image_id)")
    return lambda entry, image: torch.from_numpy(read_masks(by_image.get(entry["id"], []), image.shape[:2]))


def masks_of_detector(name: str) -> Callable[[dict, np.ndarray], Tensor]:
    """Proposals of an embedded detector, at the size of the picture."""
    from ovdense.apis import Detector
    from ovdense.functional.region_pooling import resize_masks
    from ovdense.structures import SegmentMasks

    detector = Detector.from_pretrained(name)

    def propose(entry: dict, image: np.ndarray) -> Tensor:
        encoded = detector.set_image(image[..., ::-1])._encoded
        masks, size = encoded.proposals[0].get("masks"), image.shape[:2]
        if masks is None:
            raise ValueError(f"the detector {name} proposes boxes without masks: give --masks")
        if isinstance(masks, SegmentMasks):
            return masks.resize(size)
        height, width = encoded.metainfos[0]["img_shape"][:2]
        return resize_masks(masks[:, :height, :width], size)

    return propose


def mine(args) -> int:
    """Runs over the pictures; returns how many pairs the file holds."""
    from ovdense.datasets.transforms import read_image
    from ovdense.registry import MODELS

    facts = json.loads(args.captions.read_text(encoding="utf-8"))
    captions = defaultdict(list)
    for annotation in facts["annotations"]:
        captions[annotation["image_id"]].append(annotation["caption"])
    words = None if args.spacy else lexicon(args.nouns)
    parse = spacy_parser(args.spacy) if args.spacy else lambda caption: nouns_of(caption, words)
    propose = masks_of_file(args.masks, facts["images"]) if args.masks else masks_of_detector(args.detector)
    model, _, pretrained = args.clip.partition(":")
    clip = dict(model=model, pretrained=pretrained or None)
    tower = dict(type="CLIPBackbone", attention="vanilla", **clip)
    classifier = MODELS.build(dict(type="RegionCLIPClassifier", backbone=tower)).eval()
    encoder = MODELS.build(dict(type="CLIPTextEncoder", templates=args.templates, **clip))
    done = resume(args.out)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    todo = [entry for entry in facts["images"] if entry["id"] in captions and entry["file_name"] not in done]
    with args.out.open("a", encoding="utf-8") as file:
        for entry in track(todo[: args.limit], description=f"pictures ({len(done)} done before)"):
            nouns = [noun for text in captions[entry["id"]][: args.captions_per_image] for noun in parse(text)]
            image = read_image(args.images / entry["file_name"])[..., ::-1]
            masks = propose(entry, image)
            pairs = pairs_of(image, masks, list(dict.fromkeys(nouns)), classifier, encoder)
            lines = [dict(image=entry["file_name"], **pair) for pair in pairs]
            lines.append(dict(image=entry["file_name"], pairs=len(pairs)))
            file.write("".join(json.dumps(line) + "\n" for line in lines))
            file.flush()
    return sum('"noun"' in line for line in args.out.open(encoding="utf-8"))


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("captions", type=Path, help="json in the format of COCO Captions")
    parser.add_argument("images", type=Path, help="folder of the pictures")
    parser.add_argument("out", type=Path, help="file of pairs to write or to go on with (.jsonl)")
    parser.add_argument("--clip", default="ViT-L-14:openai", metavar="MODEL:PRETRAINED", help="(default: %(default)s)")
    parser.add_argument("--masks", type=Path, help="proposals as COCO results")
    parser.add_argument("--detector", default="lite", help="whose proposals to take without --masks: lite, scenes")
    parser.add_argument("--nouns", help="lexicon: a vocabulary file or the name of a shipped one")
    parser.add_argument("--spacy", metavar="MODEL", help="find nouns by spaCy, for instance en_core_web_sm")
    parser.add_argument("--templates", default="vild", help="prompt templates of the nouns (default: %(default)s)")
    parser.add_argument("--captions-per-image", type=int, default=1, help="(default: %(default)s, as in the paper)")
    parser.add_argument("--limit", type=int, help="pictures of this run at most")
    args = parser.parse_args(argv)
    try:
        count = mine(args)
    except (ValueError, FileNotFoundError, KeyError) as error:
        raise SystemExit(f"error: {error}") from None
    print(f"{args.out}: {count} pairs")


if __name__ == "__main__":
    main()
