"""Nouns of captions, their match with masks, and a run that was stopped."""

import importlib.util
import json
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from ovdense.datasets import MaskNounDataset

FILE = Path(__file__).resolve().parents[2] / "tools" / "dataset_converters" / "mine_mask_nouns.py"


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("mine_mask_nouns", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_nouns_are_the_longest_words_of_the_lexicon(tool):
    words = frozenset({"traffic light", "light", "man", "berry", "knife", "bus"})
    found = tool.nouns_of("Two men, under traffic lights; a light bus with berries, knives and men.", words)
    assert found == ["man", "traffic light", "light", "bus", "berry", "knife"]
    assert tool.nouns_of("nothing here", words) == []
    assert "stop sign" in tool.lexicon() and "fire hydrant" in tool.lexicon()


def test_a_noun_takes_the_nearest_region(tool):
    regions = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    index, scores = tool.match_nouns(torch.tensor([[0.0, 1.0], [3.0, 0.0]]), regions)
    assert index.tolist() == [1, 0]
    torch.testing.assert_close(scores, torch.ones(2))


def test_unfinished_pictures_are_taken_off(tool, tmp_path):
    path = tmp_path / "pairs.jsonl"
    assert tool.resume(path) == set()
    lines = [dict(image="a.png", noun="cat"), dict(image="a.png", pairs=1), dict(image="b.png", noun="dog")]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"image": "b.p')
    assert tool.resume(path) == {"a.png"}
    assert [json.loads(line) for line in path.read_text().splitlines()] == lines[:2]


def test_a_stopped_run_goes_on_and_the_dataset_reads_it(tool, tmp_path):
    from ovdense.datasets.scenes.det_dataset import encode_mask
    from ovdense.datasets.scenes.generator import SceneGenerator

    generator = SceneGenerator(classes=["apple", "car"], styles=["noto"], seed=5)
    images, annotations, proposals = [], [], []
    for index in range(2):
        scene = generator[index]
        Image.fromarray(scene.image).save(tmp_path / f"{index}.png")
        images.append(dict(id=index, file_name=f"{index}.png"))
        annotations.append(
            dict(image_id=index, caption="An apple and cars on " + scene.stuff[0] if scene.stuff else "car")
        )
        proposals += [
            dict(image_id=index, segmentation=encode_mask(scene.instances == item.instance_id))
            for item in scene.objects
        ]
    captions, masks, out = (tmp_path / name for name in ("captions.json", "masks.json", "pairs.jsonl"))
    captions.write_text(json.dumps(dict(images=images, annotations=annotations)))
    masks.write_text(json.dumps(proposals))
    arguments = [
        str(captions),
        str(tmp_path),
        str(out),
        "--clip",
        "scenes",
        "--masks",
        str(masks),
        "--templates",
        "single",
    ]
    tool.main([*arguments, "--limit", "1"])
    first = out.read_text()
    tool.main(arguments)
    assert out.read_text().startswith(first) and len(out.read_text()) > len(first)
    dataset = MaskNounDataset(ann_file=str(out), data_prefix=dict(img_path=str(tmp_path)), size=32)
    assert {"apple", "car"} <= {pair["noun"] for pair in map(dataset.get_data_info, range(len(dataset)))}
    item = dataset[0]
    assert item["inputs"].shape == (3, 32, 32) and item["inputs"].dtype == torch.uint8
    outside = item["masks"][0] == 0
    assert 0 < int(outside.sum()) < 32 * 32
    shades = item["inputs"][:, outside].float().mean(1)
    assert np.allclose(shades, [122.77, 116.75, 104.09], atol=12)  # the mean colour, up to the soft edge


class Word(SimpleNamespace):
    """What a parser says of a token, as spaCy does."""


def stand_in_for_spacy(installed=("en_core_web_sm",)):
    """A parser that takes the last word of "a WORD" for a noun, without its final s."""

    def load(model):
        if model not in installed:
            raise OSError(f"[E050] Can't find model '{model}'.")

        def parse(caption):
            roots = [Word(lemma_=word.rstrip("s"), pos_="NOUN") for word in caption.split() if word[0].isupper()]
            return Word(noun_chunks=[Word(root=root) for root in (*roots, Word(lemma_="it", pos_="PRON"))])

        return parse

    return Word(load=load)


def test_the_parser_gives_lemmas_of_nouns_each_once(tool, monkeypatch):
    monkeypatch.setitem(sys.modules, "spacy", stand_in_for_spacy())
    parse = tool.spacy_parser("en_core_web_sm")
    assert parse("two Dogs and a Cat by the Dog") == ["dog", "cat"]
    with pytest.raises(ValueError, match="no model 'xx': python -m spacy download xx"):
        tool.spacy_parser("xx")


def test_a_parser_that_is_not_installed_is_named(tool, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "spacy", None)
    (tmp_path / "captions.json").write_text(json.dumps(dict(images=[], annotations=[])))
    arguments = [str(tmp_path / "captions.json"), str(tmp_path), str(tmp_path / "out.jsonl"), "--clip", "scenes"]
    with pytest.raises(SystemExit, match="error: --spacy needs spaCy, which is not installed: pip install spacy"):
        tool.main([*arguments, "--spacy", "en_core_web_sm"])


@pytest.mark.skipif(find_spec("spacy") is None, reason="spaCy is not installed")
def test_the_real_parser(tool):
    import spacy

    if not spacy.util.is_package("en_core_web_sm"):
        pytest.skip("spaCy's en_core_web_sm is not installed")
    assert tool.spacy_parser("en_core_web_sm")("Two dogs chase a red ball.") == ["dog", "ball"]


def test_proposals_of_a_detector(tool):
    from ovdense.datasets.scenes.generator import SceneGenerator

    scene = SceneGenerator(classes=["apple", "car"], styles=["noto"], seed=5)[0]
    propose = tool.masks_of_detector("scenes")
    masks = propose(dict(id=0), np.ascontiguousarray(scene.image[:, :80]))
    assert masks.dtype == torch.bool and masks.shape[1:] == scene.image[:, :80].shape[:2]
    truth = torch.from_numpy(scene.instances[:, :80] == scene.objects[0].instance_id)
    overlaps = (masks & truth).flatten(1).sum(1) / (masks | truth).flatten(1).sum(1)
    assert overlaps.max() > 0.5


def test_files_without_pairs_are_refused(tmp_path):
    path = tmp_path / "pairs.jsonl"
    with pytest.raises(FileNotFoundError, match="mine_mask_nouns"):
        MaskNounDataset(ann_file=str(path))
    path.write_text('{"image": "a.png", "pairs": 0}\n')
    with pytest.raises(ValueError, match="holds no pairs"):
        MaskNounDataset(ann_file=str(path))
    path.write_text('{"noun": "cat"}\n')
    with pytest.raises(ValueError, match="line 1: a pair has image"):
        MaskNounDataset(ann_file=str(path))
