"""A Runner whose processes need no GPU and whose model needs nothing to train."""

from __future__ import annotations

import torch
from mmengine.device import get_device
from mmengine.dist import is_distributed
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from torch import nn


@RUNNERS.register_module()
class AnyDeviceRunner(Runner):
    """mmengine's Runner for several processes of any kind.

    mmengine's own binds every process to a CUDA device and wraps every model for gradient exchange, which torch
    refuses for a model of frozen weights, as the training-free methods are. Here processes on a machine without GPUs
    talk through gloo (launcher ``pytorch``), and a model without trainable weights is left as it is.
    """

    def setup_env(self, env_cfg: dict) -> None:
        if self.distributed and not torch.cuda.is_available() and not is_distributed():
            if self.cfg.get("launcher") != "pytorch":
                raise RuntimeError(
                    f"without a GPU, several processes need the launcher pytorch, got {self.cfg.get('launcher')!r}"
                )
            torch.distributed.init_process_group("gloo")
        super().setup_env(env_cfg)

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        if not self.distributed:
            return super().wrap_model(model_wrapper_cfg, model)
        if not any(parameter.requires_grad for parameter in model.parameters()):
            return model.to(get_device())
        if model_wrapper_cfg is not None or torch.cuda.is_available():
            return super().wrap_model(model_wrapper_cfg, model)
        unused = self.cfg.get("find_unused_parameters", False)
        return MMDistributedDataParallel(module=model, broadcast_buffers=False, find_unused_parameters=unused)
