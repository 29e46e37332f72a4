"""Names -> embeddings of the photo model: neighbours in meaning, unknown words, chunks, the formula by hand."""

import pytest
import torch

from ovdense.models.text_encoders import CLIPTextEncoder, LiteText, load_text_tower
from ovdense.structures import Vocabulary


@pytest.fixture(scope="module")
def text():
    return LiteText(sentence_encoder=load_text_tower().encode)


def test_unit_rows(text):
    rows = text.encode_phrases(["dog", "qzxv", "a very long name " * 40, "Straße", "犬", ""])
    assert rows.shape == (6, 1008)
    torch.testing.assert_close(rows.norm(dim=1), torch.ones(6), atol=1e-5, rtol=0)
    assert torch.isfinite(rows).all()
    assert text.encode_phrases([]).shape == (0, 1008)


@pytest.mark.parametrize(
    ("name", "near", "far"),
    [("dog", "puppy", "car"), ("car", "automobile", "dog"), ("sofa", "couch", "sky"), ("lawn", "grass", "pizza")],
)
def test_neighbours_in_meaning(text, name, near, far):
    rows = text.encode_phrases([name, near, far])
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.2


def test_extra_rows_answer_to_their_words(text):
    rows = text.encode_phrases(["sky", "grass", "tree", "water", "road", "snow", "person", "building"])
    assert rows[:, 1000:].argmax(1).tolist() == list(range(8))


def test_chunks_make_no_difference(text):
    names = ["dog", "cat", "tree", "bus", "old red bicycle"]
    in_twos = LiteText(sentence_encoder=text.sentence_encoder, chunk=2)
    torch.testing.assert_close(in_twos.encode_phrases(names), text.encode_phrases(names), atol=1e-5, rtol=0)


def test_read_out_by_hand(text):
    """A sentence that is the anchor of one class: cosine 1 there, the best other anchor elsewhere."""
    anchor = 5
    (classes,) = text.pair_class[text.pair_anchor == anchor].unsqueeze(0)
    sentence = text.anchors[anchor : anchor + 1]
    row = text.read_out(sentence)[0]
    cosines = (text.anchors @ sentence[0]) - text.penalty
    best = torch.full((1000,), -1.0)
    for index, found in zip(text.pair_anchor.tolist(), text.pair_class.tolist()):
        best[found] = max(best[found], cosines[index])
    assert best[classes] == pytest.approx(1.0, abs=1e-3)
    ratio = row[:1000] / row[classes]
    torch.testing.assert_close(ratio, ((best - best[classes]) / text.tau).exp(), atol=1e-4, rtol=1e-3)


def test_through_the_text_encoder(text):
    encoder = CLIPTextEncoder(model="lite")
    embeddings = encoder.encode(Vocabulary.parse(["dog", "puppy", "car"]), progress=False)
    torch.testing.assert_close(embeddings.rows, text.encode_phrases(["dog", "puppy", "car"]), atol=1e-5, rtol=0)
    assert embeddings.space == text.space
