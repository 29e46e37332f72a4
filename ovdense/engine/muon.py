"""Muon for the matrices of a transformer's blocks and AdamW for the rest, as one optimizer.

Muon (K. Jordan and others, 2024, https://kellerjordan.github.io/posts/muon) replaces a matrix's momentum by the
nearest orthogonal matrix, found by a few Newton-Schulz steps. On small towers it needs far fewer samples than AdamW.
"""

from __future__ import annotations

import math

import torch
from mmengine.optim import DefaultOptimWrapperConstructor
from mmengine.registry import OPTIM_WRAPPERS
from torch import Tensor, nn
from torch.optim import AdamW

from ovdense.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIMIZERS

# Coefficients of the quintic iteration that pushes all singular values towards 1.
QUINTIC = (3.4445, -4.7750, 2.0315)


def orthogonalise(matrix: Tensor, steps: int = 5) -> Tensor:
    """A matrix (M, N) with the singular vectors of ``matrix`` and singular values of about 1 (0.7 to 1.2)."""
    a, b, c = QUINTIC
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x


@OPTIMIZERS.register_module()
class MuonAdamW(AdamW):
    """Groups with ``muon=True`` are stepped by Muon, the others by AdamW.

    Args:
        params: parameters or groups; matrices of ``muon`` groups have two dimensions. Those of 3 D x D, as of packed
            query, key and value, are taken as three.
        lr: of AdamW.
        muon_lr: of Muon; both follow the schedule of their own group.
        momentum: of Muon.
        weight_decay: of both.
        betas: of AdamW.
    """

    def __init__(
        self,
        params,
        lr: float = 1e-3,
        muon_lr: float = 0.02,
        momentum: float = 0.95,
        weight_decay=0.05,
        betas=(0.9, 0.98),
    ) -> None:
        groups = list(params)
        groups = groups if groups and isinstance(groups[0], dict) else [dict(params=groups)]
        for group in groups:
            group.setdefault("muon", False)
            if group["muon"]:
                group["lr"] = muon_lr
                group["momentum"] = momentum
        super().__init__(groups, lr=lr, betas=betas, weight_decay=weight_decay)

    @torch.no_grad()
    def step(self, closure=None):
        """One step of all groups; the loss of ``closure`` when there is one."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        groups = self.param_groups
        try:
            self.param_groups = [group for group in groups if not group["muon"]]
            super().step()
        finally:
            self.param_groups = groups
        for group in groups:
            for parameter in group["params"] if group["muon"] else ():
                if parameter.grad is not None:
                    self._muon_step(parameter, group)
        return loss

    def _muon_step(self, parameter: Tensor, group: dict) -> None:
        state = self.state[parameter]
        if not state:  # Adam reads ``step`` of every state it is given back
            state.update(step=torch.tensor(0.0), momentum=torch.zeros_like(parameter))
        state["step"] += 1
        momentum = state["momentum"]
        momentum.lerp_(parameter.grad, 1 - group["momentum"])
        update = parameter.grad.lerp(momentum, group["momentum"])
        rows, columns = update.shape
        parts = update.chunk(3) if rows == 3 * columns else (update,)
        update = torch.cat([orthogonalise(part) for part in parts])
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(update, alpha=-group["lr"] * math.sqrt(max(1, rows / columns)))


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class MuonConstructor(DefaultOptimWrapperConstructor):
    """Optimizer wrapper whose optimizer has three groups: block matrices for Muon, other weights, and vectors.

    ``paramwise_cfg=dict(blocks="resblocks")`` names what a block matrix has in its name. Vectors do not decay.
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None) -> None:
        super().__init__(optim_wrapper_cfg, None)
        self.blocks = (paramwise_cfg or {}).get("blocks", "blocks")

    def __call__(self, model: nn.Module):
        """The wrapper for the parameters of ``model`` that need a gradient."""
        groups = dict(muon=[], weights=[], vectors=[])
        for name, parameter in model.named_parameters():
            if not parameter.requires_grad:
                continue
            in_block = parameter.ndim == 2 and self.blocks in name
            groups["muon" if in_block else "weights" if parameter.ndim > 1 else "vectors"].append(parameter)
        if not groups["muon"]:
            raise ValueError(
                f"no matrix of the model has {self.blocks!r} in its name: set paramwise_cfg=dict(blocks=..)"
            )
        config = self.optimizer_cfg.copy()
        config["params"] = [
            dict(params=groups["muon"], muon=True),
            dict(params=groups["weights"]),
            dict(params=groups["vectors"], weight_decay=0.0),
        ]
        optimizer = OPTIMIZERS.build(config)
        return OPTIM_WRAPPERS.build({**self.optim_wrapper_cfg, "optimizer": optimizer})
