import json
import re

import numpy as np
import pytest

from ovdense.datasets.scenes.captions import CaptionFacts, load_caption_facts
from ovdense.datasets.scenes.generator import SceneGenerator
from ovdense.models.vocabulary_files import load_vocabulary


def test_words_are_names_synonyms_and_kinds():
    facts = load_caption_facts()
    assert facts.words(["dog", "grass"]) == ("dog", "hound", "animal", "grass", "turf", "meadow")
    assert facts.hypernyms("lime") == ("food", "fruit")
    assert facts.attributes("tomato") == ("red",)
    assert facts.words(["red striped star"]) == ("red striped star", "shape", "red shape", "star")


@pytest.mark.parametrize("group", ["base", "novel", "stuff"])
def test_every_thing_has_a_kind_and_nearly_all_names_a_synonym(group):
    vocabulary, facts = load_vocabulary("scenes-143"), load_caption_facts()
    names = [vocabulary.classes[index] for index in vocabulary.group(group)]
    assert group == "stuff" or all(facts.hypernyms(name) for name in names)
    assert np.mean([bool(facts.synonyms(name)) for name in names]) > 0.9


def test_no_caption_has_a_held_out_word():
    synonyms, facts = load_vocabulary("scenes-synonyms-53"), load_caption_facts()
    held_out = [group[0] for name, group in zip(synonyms.classes, synonyms.phrases) if group[0] != name]
    unseen = load_vocabulary("scenes-unseen-40")
    held_out += [unseen.classes[index] for index in unseen.group("unseen")]
    assert len(held_out) == 49 + 24
    names = load_vocabulary("scenes-143").classes
    text = "\n".join([*facts.words(names), *facts.templates, *[a for name in names for a in facts.attributes(name)]])
    assert [word for word in held_out if re.search(rf"\b{re.escape(word)}s?\b", text)] == []


@pytest.mark.parametrize("draw, expected", [(0.5, "cow"), (0.6, "spotted cow"), (0.8, "heifer"), (0.95, "farm animal")])
def test_a_phrase_follows_the_draw(draw, expected):
    class Fixed:
        def random(self):
            return draw

        def integers(self, count):
            return count - 1

    assert load_caption_facts().phrase(Fixed(), "cow") == expected


def test_a_sentence_counts_and_joins(tmp_path):
    content = dict(templates=["{things} on {stuff}"], hypernyms={}, synonyms={}, attributes={})
    (tmp_path / "facts.json").write_text(json.dumps(content))
    facts, rng = CaptionFacts(tmp_path / "facts.json"), np.random.default_rng(0)
    assert facts.sentence(rng, ["dog", "apple", "dog"], ["sand"]) == "2 times a dog and an apple on sand"
    assert facts.sentence(rng, [], ["sand", "sky"]) == "nothing on sand and sky"


def test_captions_of_scenes_say_true_words_only():
    generator = SceneGenerator(seed=5, texture_variants=1)
    for index in range(20):
        scene = generator[index]
        others = [w for w in load_caption_facts().words(["pizza", "castle", "guitar", "lava"]) if w not in scene.words]
        assert not [word for word in others if re.search(rf"\b{re.escape(word)}\b", scene.caption)]
