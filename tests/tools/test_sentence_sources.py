"""The words and phrases that the text tower is trained on."""

import importlib.util
import json
import random
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "tools" / "dataset_converters"


@pytest.fixture(scope="module")
def sources():
    spec = importlib.util.spec_from_file_location("sentence_sources", FOLDER / "sentence_sources.py")
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["sentence_sources"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("noun", "several"), [("dog", "dogs"), ("box", "boxes"), ("city", "cities"), ("toy", "toys"), ("bus", "buses")]
)
def test_plurals(sources, noun, several):
    assert sources.plural(noun) == several


def test_phrases_differ_and_are_filled(sources):
    phrases = sources.make_phrases(["cat", "orange"], ["happy"], 300, random.Random(0))
    assert len(set(phrases)) == 300 and not any("{" in phrase for phrase in phrases)
    assert phrases == sources.make_phrases(["cat", "orange"], ["happy"], 300, random.Random(0))
    assert not any(" a orange" in f" {phrase}" for phrase in phrases)


def test_vocabulary_words_are_plain(sources):
    words = sources.vocabulary_words()
    assert {"traffic light", "wall", "zebra"} <= set(words) and len(words) == len(set(words))
    assert not any("_" in word or word != word.lower() for word in words)


def test_emoji_words(sources, tmp_path):
    base, lib = tmp_path / "emojibase-data" / "en", tmp_path / "emojilib" / "dist"
    base.mkdir(parents=True)
    lib.mkdir(parents=True)
    entries = [dict(label="fox", tags=["face"], group=3), dict(label="regional indicator A", tags=[])]
    (base / "data.json").write_text(json.dumps(entries))
    (lib / "emoji-en-US.json").write_text(json.dumps({"x": ["wild_animal", ":D", "fox"]}))
    assert sources.emoji_words(tmp_path) == ["fox", "face", "wild animal"]


def test_wordnet_reader(sources, tmp_path):
    noun = [
        "00000001 05 n 02 dog 0 Canis_familiaris 0 001 @ 00000002 n 0000 | a furry animal that barks",
        '00000002 05 n 01 Canis 0 000 | the kind of a dog; "a dog is a canis"',
        "00000003 15 n 01 Paris 0 001 @i 00000002 n 0000 | a city",
        "00000004 09 n 01 idea 0 000 | a thing in the mind",
    ]
    (tmp_path / "data.noun").write_text("  1 licence\n" + "\n".join(noun) + "\n")
    (tmp_path / "data.adj").write_text("00000005 00 a 01 furry(a) 0 000 | covered with fur\n")
    (tmp_path / "data.verb").write_text("00000006 29 v 01 bark 0 000 | make a barking sound\n")
    (tmp_path / "cntlist.rev").write_text("dog%1:05:00:: 1 20\n")
    net = sources.read_wordnet(tmp_path)
    assert set(net.nouns) == {"dog", "canis familiaris"} and {"idea", "bark"} <= set(net.other)
    assert set(net.adjectives) == {"furry"} and net.nouns["dog"] > net.nouns["canis familiaris"]
    assert "a furry animal that barks" in net.sentences and "a dog is a canis" in net.sentences
