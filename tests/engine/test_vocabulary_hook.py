import warnings
from types import SimpleNamespace

import pytest
from mmengine.runner.checkpoint import save_checkpoint
from torch import nn

from ovdense.apis import load_checkpoint
from ovdense.models.open_vocabulary import OpenVocabularyMixin
from ovdense.registry import HOOKS


class Model(OpenVocabularyMixin, nn.Module):
    def __init__(self, names):
        super().__init__()
        self.head = nn.Linear(1, 1)
        self._init_vocabulary(text_encoder=object(), vocabulary=names)


def save(names):
    checkpoint = dict(meta=dict(epoch=1), state_dict={})
    HOOKS.build(dict(type="VocabularyHook")).before_save_checkpoint(SimpleNamespace(model=Model(names)), checkpoint)
    return checkpoint


def load(names, checkpoint):
    model = Model(names)
    HOOKS.build(dict(type="VocabularyHook")).after_load_checkpoint(SimpleNamespace(model=model), checkpoint)
    return model


def test_a_checkpoint_carries_its_vocabulary_and_other_names_warn():
    checkpoint = save(["cat", "dog"])
    assert checkpoint["meta"]["epoch"] == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load(["cat", "dog"], checkpoint)
    with pytest.warns(UserWarning, match=r"trained with 2 classes.*model's 1 1 are new.*\['cow'\]"):
        load(["cow"], checkpoint)


def test_models_without_a_vocabulary_pass():
    hook = HOOKS.build(dict(type="VocabularyHook"))
    checkpoint = dict(meta={}, state_dict={})
    hook.before_save_checkpoint(SimpleNamespace(model=nn.Linear(1, 1)), checkpoint)
    hook.after_load_checkpoint(SimpleNamespace(model=nn.Linear(1, 1)), checkpoint)
    assert checkpoint == dict(meta={}, state_dict={})


def test_the_vocabulary_survives_a_checkpoint_file_that_is_read_without_running_code(tmp_path):
    model = Model([["cat", "kitten"], "猫"])
    checkpoint = dict(meta=model.vocabulary_meta(), state_dict=model.state_dict())
    save_checkpoint(checkpoint, str(tmp_path / "model.pth"))
    meta = load_checkpoint(Model(["dog"]), tmp_path / "model.pth")
    with pytest.warns(UserWarning, match=r"\['dog'\]"):
        Model(["dog"]).check_trained_vocabulary(meta)
