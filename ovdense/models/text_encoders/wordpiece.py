"""WordPiece tokenizer of the uncased BERT models, in plain Python.

Cleaning, CJK spacing, lower case, accent stripping and punctuation splitting follow BERT (arXiv 1810.04805, reference
tokenizer): one string gives the same ids as the tokenizers that the original weights were trained with.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from pathlib import Path

CJK_RANGES = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


class WordPiece:
    """Text to token ids: ``[CLS] pieces [SEP]``, cut at ``max_length`` tokens in all."""

    def __init__(self, tokens: Iterable[str], *, max_length: int = 256, max_word_length: int = 100) -> None:
        self.ids = {token: index for index, token in enumerate(tokens)}
        missing = [token for token in ("[CLS]", "[SEP]", "[UNK]", "[PAD]") if token not in self.ids]
        if missing:
            raise ValueError(f"a WordPiece vocabulary needs the special tokens, missing {missing} of {len(self.ids)}")
        self.max_length = max_length
        self.max_word_length = max_word_length

    @classmethod
    def from_file(cls, path: str | Path, **kwargs) -> WordPiece:
        """Reads ``vocab.txt``: one token a line, its id is the line number from 0."""
        # Split on newlines only: some tokens are themselves line separators to str.splitlines.
        return cls(Path(path).read_text(encoding="utf-8").rstrip("\n").split("\n"), **kwargs)

    def __call__(self, text: str) -> list[int]:
        return self.encode(text)[0]

    def encode(self, text: str) -> tuple[list[int], bool]:
        """Token ids with [CLS] and [SEP], and whether the text was too long and lost its end."""
        pieces = [piece for word in split_words(text) for piece in self.word_pieces(word)]
        room = self.max_length - 2
        return [self.ids["[CLS]"], *pieces[:room], self.ids["[SEP]"]], len(pieces) > room

    def word_pieces(self, word: str) -> list[int]:
        """Greedy longest match from the left; [UNK] when some part of the word is in no token."""
        if len(word) > self.max_word_length:
            return [self.ids["[UNK]"]]
        pieces, start = [], 0
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = self.ids.get(("##" if start else "") + word[start:end])
                if piece is not None:
                    break
            else:
                return [self.ids["[UNK]"]]
            pieces.append(piece)
            start = end
        return pieces


def split_words(text: str) -> list[str]:
    """Lower-cased words, single punctuation marks and single CJK characters of ``text``, without accents."""
    characters = []
    for character in text:
        if character in "\t\n\r" or unicodedata.category(character) == "Zs":
            characters.append(" ")
        elif character in "\0\ufffd" or unicodedata.category(character) in ("Cc", "Cf", "Co"):
            continue
        elif _is_cjk(character):
            characters.append(f" {character} ")
        else:
            characters.append(character)
    # Lower-cased one by one: str.lower turns a sigma that ends a word into another letter, BERT does not.
    plain = "".join(character.lower() for character in unicodedata.normalize("NFD", "".join(characters)))
    spaced = (
        f" {character} " if _is_punctuation(character) else character
        for character in plain
        if unicodedata.category(character) != "Mn"
    )
    return "".join(spaced).split()


def _is_cjk(character: str) -> bool:
    code = ord(character)
    return code >= 0x3400 and any(first <= code <= last for first, last in CJK_RANGES)


def _is_punctuation(character: str) -> bool:
    # BERT also counts the ASCII symbols ($ + < = > ^ ` | ~), which Unicode does not put in the class P.
    ascii_symbol = character.isascii() and character.isprintable() and not character.isalnum() and character != " "
    return ascii_symbol or unicodedata.category(character).startswith("P")
