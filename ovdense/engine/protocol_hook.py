"""Says with every score how it came about."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper

from ovdense.evaluation.protocol import Protocol, describe_protocol
from ovdense.registry import HOOKS


@HOOKS.register_module()
class ProtocolHook(Hook):
    """Logs the protocol of a test or validation as one line, and writes it into the json file of a test.

    The json has it as a dict under ``protocol``: see ``evaluation.protocol.describe_protocol``. Detectors and other
    models pass with what there is to say.
    """

    priority = "NORMAL"  # before LoggerHook, which writes the file

    def after_val_epoch(self, runner, metrics=None) -> None:
        runner.logger.info(f"protocol: {self.protocol(runner, runner.val_loop).line}")

    def after_test_epoch(self, runner, metrics=None) -> None:
        protocol = self.protocol(runner, runner.test_loop)
        runner.logger.info(f"protocol: {protocol.line}")
        runner.message_hub.update_info("test/protocol", protocol, resumed=False)

    def protocol(self, runner, loop) -> Protocol:
        """What the loop's score is taken with."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        model = getattr(model, "module", model)  # test-time augmentation wraps once more
        dataset = loop.dataloader.dataset
        steps = getattr(getattr(dataset, "pipeline", None), "transforms", ())
        return describe_protocol(
            model,
            pipeline=[_step(step) for step in steps],
            dataset=dataset,
            metrics=loop.evaluator.metrics,
            config=runner.cfg,
        )


def _step(step) -> dict:
    """A built transform as its config would say it."""
    return dict(
        type=type(step).__name__, scale=getattr(step, "scale", None), keep_ratio=getattr(step, "keep_ratio", None)
    )
