import copy

import pytest
import torch
from torch import nn

from ovdense.models.open_vocabulary import OpenVocabularyMixin
from ovdense.models.vocabulary_files import load_vocabulary
from ovdense.registry import MODELS
from ovdense.structures import ClassEmbeddings, Vocabulary


@MODELS.register_module()
class ToyTextEncoder:
    """Rows of one per phrase; counts its calls."""

    def __init__(self, *, space="toy/1", width=4):
        self.space, self.width, self.calls = space, width, 0

    def encode(self, vocabulary):
        self.calls += 1
        rows = torch.full((vocabulary.num_phrases, self.width), self.width**-0.5)
        return ClassEmbeddings(rows, torch.tensor(vocabulary.class_index), vocabulary, self.space)


class ToyModel(OpenVocabularyMixin, nn.Module):
    def __init__(self, space="toy/1", embed_dim=4, **options):
        super().__init__()
        self.head = nn.Linear(2, 2)
        self._init_vocabulary(space=space, embed_dim=embed_dim, **options)


TEXT = dict(type="ToyTextEncoder")


def test_names_are_encoded_on_first_use_and_again_after_a_change():
    model = ToyModel(text_encoder=TEXT, vocabulary=["cat", "dog"])
    encoder = model._text_encoder
    assert model.vocabulary.classes == ("cat", "dog") and encoder.calls == 0
    assert model.class_embeddings.rows.shape == (2, 4) and model.class_embeddings.num_classes == 2
    assert encoder.calls == 1
    model.set_vocabulary("person, man; sky; sea", background=["wall"])
    assert model.vocabulary.classes == ("background", "person", "sky", "sea")
    assert model.class_embeddings.class_index.tolist() == [0, 1, 1, 2, 3] and encoder.calls == 2


def test_dataset_meta_follows_the_vocabulary():
    model = ToyModel(text_encoder=TEXT, vocabulary="voc-20")
    assert len(model.dataset_meta["classes"]) == len(model.dataset_meta["palette"]) == 20
    model.set_vocabulary(["cat"])
    assert model.dataset_meta == dict(classes=["cat"], palette=[tuple(colour) for colour in model.vocabulary.palette])


def test_config_may_hold_the_options_of_parse():
    model = ToyModel(text_encoder=TEXT, vocabulary=dict(source="cat, dog", templates="vild", background=0.2))
    assert model.vocabulary == load_vocabulary(["cat", "dog"], templates="vild", background=0.2)


def test_neither_tower_nor_rows_are_in_the_state_dict():
    model = ToyModel(text_encoder=TEXT, vocabulary=["cat"])
    assert model.class_embeddings.rows.shape == (1, 4)
    assert set(model.state_dict()) == {"head.weight", "head.bias"}
    assert copy.deepcopy(model).class_embeddings.rows.shape == (1, 4)


def test_without_a_vocabulary():
    model = ToyModel(text_encoder=TEXT)
    assert model.vocabulary is None
    with pytest.raises(RuntimeError, match="set_vocabulary"):
        model.class_embeddings  # noqa: B018
    with pytest.raises(ValueError, match="neither a text encoder nor class embeddings"):
        ToyModel().set_vocabulary(["cat"])


def test_a_failed_change_keeps_the_old_vocabulary():
    model = ToyModel(text_encoder=TEXT, vocabulary=["cat"])
    with pytest.raises(ValueError, match="class name 1 is empty"):
        model.set_vocabulary(["dog", ""])
    assert model.vocabulary.classes == ("cat",)


def test_embeddings_of_another_space_or_width_are_refused_with_both_names():
    model = ToyModel(text_encoder=dict(TEXT, space="other/2"), vocabulary=["cat"])
    with pytest.raises(ValueError, match=r"'toy/1'.*text encoder of the same CLIP model.*'other/2'"):
        model.class_embeddings  # noqa: B018
    model = ToyModel(text_encoder=dict(TEXT, width=5), vocabulary=["cat"])
    with pytest.raises(ValueError, match=r"toy/1.* gives 4 channels.*5 channels \(toy/1\)"):
        model.class_embeddings  # noqa: B018
    with pytest.raises(ValueError, match=r"4 channels.*got class embeddings with 3"):
        ToyModel(vocabulary=["cat"], class_embeddings=torch.ones(1, 3))


def test_given_embeddings_answer_for_their_own_names():
    model = ToyModel(vocabulary=[["cat", "kitten"], "dog"], class_embeddings=torch.eye(4)[:3])
    assert torch.equal(model.class_embeddings.rows, torch.eye(4)[:3]) and model.class_embeddings.space == "toy/1"
    model.set_vocabulary(["dog", "kitten"])
    assert torch.equal(model.class_embeddings.rows, torch.eye(4)[[2, 1]])
    with pytest.raises(ValueError, match=r"no embedding for 1 of 2 classes.*got \['sky'\]"):
        model.set_vocabulary(["dog", "sky"])


def test_encoded_vocabularies_are_taken_as_they_are():
    model = ToyModel(text_encoder=TEXT)
    encoded = ClassEmbeddings(torch.eye(4)[:1], torch.tensor([0]), Vocabulary.parse(["cat"]), "toy/1")
    model.set_vocabulary(encoded)
    assert torch.equal(model.class_embeddings.rows, encoded.rows) and model._text_encoder.calls == 0


def test_rows_made_during_prediction_serve_training():
    model = ToyModel(text_encoder=TEXT, vocabulary=["cat"])
    with torch.inference_mode():
        rows = model.class_embeddings.rows
    scores = nn.Linear(3, 4)(torch.ones(1, 3)) @ rows.T
    scores.sum().backward()
    assert not rows.is_inference() and not rows.requires_grad


def test_rows_are_on_the_models_device():
    model = ToyModel(text_encoder=TEXT, vocabulary=["cat"]).to("meta")
    assert model.class_embeddings.rows.device.type == "meta"


def test_a_checkpoint_trained_with_other_names_warns(recwarn):
    trained = ToyModel(text_encoder=TEXT, vocabulary=["cat", "dog"])
    meta = trained.vocabulary_meta()
    model = ToyModel(text_encoder=TEXT, vocabulary=["cat", "dog"])
    model.check_trained_vocabulary(meta)
    model.check_trained_vocabulary({})
    model.set_vocabulary(["dog"], background=["wall"])
    assert not recwarn.list
    with pytest.warns(UserWarning, match=r"trained with 2 classes, of the model's 2 1 are new.*\['sky'\]"):
        model.set_vocabulary(["cat", "sky"])
