"""Words and sentences for the text tower: shipped vocabularies, emoji packages, WordNet, and phrases put together.

WordNet is the ``dict`` folder of Princeton's release (Debian package ``wordnet-base``: /usr/share/wordnet), emoji names
are those of the npm packages ``emojibase-data`` and ``emojilib``.
"""

from __future__ import annotations

import json
import math
import random
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from ovdense.models.vocabulary_files import load_templates, load_vocabulary, template_names, vocabulary_names

# Lexicographer files of WordNet whose nouns can mostly be seen.
VISIBLE = {"03", "05", "06", "08", "13", "14", "15", "17", "18", "19", "20", "25", "27"}
CAPITALISED = {"05", "06", "13", "20"}  # "German shepherd" is of use, "Canis" and "Abraham" are not
WORD = re.compile(r"[a-z]+")
WORDS = json.loads(Path(__file__).with_name("sentence_words.json").read_text(encoding="utf-8"))


@dataclass
class WordNet:
    """Lemmas (lower case, spaces), the words of the definitions with their counts, definitions and examples."""

    nouns: dict[str, float] = field(default_factory=dict)  # visible ones -> how common
    other: dict[str, float] = field(default_factory=dict)  # other nouns, adjectives, verbs
    adjectives: dict[str, float] = field(default_factory=dict)
    sentences: list[str] = field(default_factory=list)


def read_wordnet(folder: Path) -> WordNet:
    """All of WordNet that serves; how common a word is comes from sense-tagged texts and from the definitions."""
    counts, lemmas, glosses = Counter(), {}, []
    for part in ("noun", "adj", "verb"):
        for line in (folder / f"data.{part}").read_text(encoding="latin-1").splitlines():
            if line.startswith(" "):
                continue
            fields, gloss = line.split(" | ", 1)
            fields = fields.split()
            counts.update(WORD.findall(gloss.lower()))
            if "@i" in fields:
                continue
            glosses += [piece.strip(' "') for piece in gloss.split("; ")]
            for index in range(int(fields[3], 16)):
                lemma = fields[4 + 2 * index].replace("_", " ")
                lemmas.setdefault(re.sub(r"\((a|p|ip)\)$", "", lemma), set()).add((part, fields[1]))
    tagged = Counter()
    for line in (folder / "cntlist.rev").read_text(encoding="latin-1").splitlines():
        key, _, count = line.split()
        tagged[key.split("%")[0].replace("_", " ")] += int(count)

    net = WordNet(sentences=list(dict.fromkeys(text for text in glosses if 3 <= len(text.split()) <= 16)))
    for lemma, senses in lemmas.items():
        if not re.fullmatch(r"[A-Za-z][A-Za-z' .-]+", lemma) or lemma.startswith(("genus ", "family ", "order ")):
            continue
        nouns = {file for part, file in senses if part == "noun"}
        if lemma != lemma.lower() and not (nouns & CAPITALISED and " " in lemma):
            continue
        words = WORD.findall(lemma.lower())
        common = math.log1p(min(counts[word] for word in words)) + 2 * math.log1p(tagged[lemma.lower()])
        common -= 0.7 * (len(words) - 1)
        name = lemma.lower()
        if nouns & VISIBLE:
            net.nouns[name] = common
        else:
            net.other[name] = common
        if any(part == "adj" for part, _ in senses) and " " not in name:
            net.adjectives[name] = common
    return net


def vocabulary_words() -> list[str]:
    """Every phrase of every shipped vocabulary, without its templates."""
    phrases = (phrase for name in vocabulary_names() for phrase in load_vocabulary(name).flat_phrases)
    return list(dict.fromkeys(phrase.replace("_", " ").strip().lower() for phrase in phrases))


def emoji_words(folder: Path) -> list[str]:
    """Labels, tags and keywords of the emoji in the folder ``node_modules``."""
    words = []
    for entry in json.loads((folder / "emojibase-data" / "en" / "data.json").read_text(encoding="utf-8")):
        if entry.get("group") is not None:  # the rest are letters of flags
            words += [entry["label"], *entry.get("tags", ())]
    for keywords in json.loads(
        (folder / "emojilib" / "dist" / "emoji-en-US.json").read_text(encoding="utf-8")
    ).values():
        words += keywords
    words = (word.lower().replace("_", " ").replace(":", "") for word in words)
    return list(dict.fromkeys(word for word in words if re.fullmatch(r"[a-z][a-z' -]{1,40}", word)))


def all_templates() -> list[str]:
    """Every shipped template once."""
    return list(dict.fromkeys(text for name in template_names() for text in load_templates(name)))


def with_article(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def plural(noun: str) -> str:
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    return noun[:-1] + "ies" if noun.endswith("y") and noun[-2:-1] not in "aeiou" else noun + "s"


def make_phrases(nouns: list[str], adjectives: list[str], number: int, rng: random.Random) -> list[str]:
    """``number`` different phrases such as "a man in a red shirt" or "two dogs on the beach"."""
    phrases: dict[str, None] = {}
    colours = WORDS["colours"]

    def adjective() -> str:
        return rng.choice(rng.choice((WORDS["colours"], WORDS["attributes"], WORDS["attributes"], adjectives)))

    def fill(match: re.Match) -> str:
        slot, _, form = match[1].partition(":")
        if slot in ("a", "b"):
            word = rng.choice(nouns)
        elif slot in ("c", "c2"):
            word = rng.choice(WORDS["clothes"])
        else:
            return {
                "adj": adjective,
                "p": lambda: with_article(rng.choice(WORDS["people"])),
                "act": lambda: rng.choice(WORDS["actions"]),
                "place": lambda: rng.choice(WORDS["places"]),
                "material": lambda: rng.choice(WORDS["materials"]),
            }[slot]()
        if form == "s":
            return plural(word)
        if form == "a adj":
            return with_article(f"{adjective()} {word}")
        if form == "a col":
            return with_article(f"{rng.choice(colours)} {word}")
        return with_article(word) if form == "a" else word

    while len(phrases) < number:
        phrases[re.sub(r"\{([^}]*)\}", fill, rng.choice(WORDS["phrases"]))] = None
    return list(phrases)
