from pathlib import Path

import pytest

from ovdense.models.text_encoders.wordpiece import WordPiece

VOCAB = Path(__file__).parents[2] / "data" / "minilm_vocab.txt"
# Ids from the tokenizer.json that comes with the original weights.
EXPECTED = {
    "A red Fox.": [101, 1037, 2417, 4419, 1012, 102],
    "Crème brûlée!": [101, 13675, 21382, 7987, 9307, 2063, 999, 102],
    "猫と犬": [101, 100, 1666, 1908, 102],
    "ΑΣ straße": [101, 1155, 29733, 2358, 27807, 102],
    "don't <$5> `x`": [101, 2123, 1005, 1056, 1026, 1002, 1019, 1028, 1036, 1060, 1036, 102],
    "a\u200bb\u00a0c\ufffd": [101, 11113, 1039, 102],
    "unbelievableness": [101, 23653, 2791, 102],
    "\u3072\U0001f98a": [101, 100, 102],
    "z" * 101: [101, 100, 102],
    "": [101, 102],
}


@pytest.fixture(scope="module")
def tokenizer():
    return WordPiece.from_file(VOCAB)


@pytest.mark.parametrize("text", EXPECTED)
def test_ids_of_the_original_tokenizer(tokenizer, text):
    assert tokenizer(text) == EXPECTED[text]


def test_long_texts_are_cut_and_reported(tokenizer):
    ids, cut = tokenizer.encode("fox " * 300)
    assert len(ids) == 256 and ids[0] == 101 and ids[-1] == 102 and cut
    assert tokenizer.encode("fox " * 254) == ([101, *[4419] * 254, 102], False)


def test_needs_the_special_tokens():
    with pytest.raises(ValueError, match=r"missing \['\[UNK\]', '\[PAD\]'\]"):
        WordPiece(["[CLS]", "[SEP]", "a"])
