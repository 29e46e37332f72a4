"""Keeps the training vocabulary with the weights."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper

from ovdense.registry import HOOKS


@HOOKS.register_module()
class VocabularyHook(Hook):
    """Writes the model's vocabulary into the meta of checkpoints, and compares it when one is loaded.

    A head that was trained with some names and predicts with others gives a warning that says which are new. Models
    without a vocabulary pass.
    """

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        model = _unwrap(runner.model)
        if hasattr(model, "vocabulary_meta"):
            checkpoint.setdefault("meta", {}).update(model.vocabulary_meta())

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        model = _unwrap(runner.model)
        if hasattr(model, "check_trained_vocabulary"):
            model.check_trained_vocabulary(checkpoint.get("meta", {}))


def _unwrap(model):
    return model.module if is_model_wrapper(model) else model
