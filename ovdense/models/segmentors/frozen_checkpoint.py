"""Checkpoints without the frozen backbone: saving leaves it out, loading keeps the one that the model has."""

from __future__ import annotations

from functools import partial

from torch import nn


def slim_checkpoints(model: nn.Module, child: str) -> None:
    """Leave ``model.<child>`` out of ``model.state_dict()``, and let checkpoints do without it when loading.

    Loading raises ValueError for tensors of another shape and for checkpoints that share no key with the model.
    """
    model._register_state_dict_hook(partial(_leave_out, child))
    model._register_load_state_dict_pre_hook(partial(_before_load, child), with_module=True)


def _leave_out(child: str, module: nn.Module, state: dict, prefix: str, *_) -> None:
    for key in [key for key in state if key.startswith(f"{prefix}{child}.")]:
        del state[key]


def _before_load(child: str, module: nn.Module, state: dict, prefix: str, *_) -> None:
    """Fill the frozen part in from the model itself and refuse a checkpoint that does not fit."""
    frozen = {f"{prefix}{child}.{key}": value for key, value in getattr(module, child).state_dict().items()}
    own = {}
    for name, part in module.named_children():
        if name != child:
            own.update({f"{prefix}{name}.{key}": value for key, value in part.state_dict().items()})
    given = {key: value for key, value in state.items() if key.startswith(prefix)}
    expected = {**frozen, **own}
    if given and not expected.keys() & given.keys():
        raise ValueError(
            f"the checkpoint does not fit this model: none of its {len(given)} tensors (first: {next(iter(given))!r}) "
            f"is one of the model's (first: {next(iter(own or frozen))!r}); use the config that it was trained with"
        )
    for key in expected.keys() & given.keys():
        if expected[key].shape != given[key].shape:
            raise ValueError(
                f"the checkpoint does not fit this model: {key} is {tuple(given[key].shape)} in the checkpoint and "
                f"{tuple(expected[key].shape)} in the model; use the config that it was trained with"
            )
    for key, value in frozen.items():
        state.setdefault(key, value)
