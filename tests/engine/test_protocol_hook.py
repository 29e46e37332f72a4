"""The protocol in the log and in the json file of a test, and in the log of a validation."""

import json
import logging

import pytest
from mmengine.config import Config
from mmengine.runner import Runner

from ovdense.apis import find_config
from ovdense.engine import ProtocolHook


def runner_of(tmp_path):
    config = Config.fromfile(find_config("sclip_scenes_scenes-48-96"))
    config.work_dir, config.log_level = str(tmp_path), "INFO"
    config.experiment_name = tmp_path.name
    for loader in ("test_dataloader", "val_dataloader"):
        config[loader].dataset.num_scenes = 2
    return Runner.from_cfg(config)


@pytest.fixture
def lines():
    """What the runner's logger says."""
    seen = []

    class Keep(logging.Handler):
        def emit(self, record):
            seen.append(record.getMessage())

    return Keep(), seen


def test_a_test_says_and_writes_its_protocol(tmp_path, lines):
    runner = runner_of(tmp_path)
    runner.logger.addHandler(lines[0])
    metrics = runner.test()
    said = [line for line in lines[1] if line.startswith("protocol: ")]
    assert len(said) == 1 and "names scenes-48 (48 phrases of 48 classes)" in said[0]
    assert "2 pictures" in said[0] and "present_only=False" in said[0]
    written = json.loads(next(tmp_path.rglob("2*.json")).read_text())
    assert written["mIoU"] == metrics["mIoU"] and "protocol" not in metrics
    assert written["protocol"]["names"] == "scenes-48" and written["protocol"]["pictures"] == 2
    hook = next(hook for hook in runner.hooks if isinstance(hook, ProtocolHook))
    assert said[0] == f"protocol: {hook.protocol(runner, runner.test_loop).line}"


def test_a_validation_says_it_too(tmp_path, lines):
    runner = runner_of(tmp_path)
    runner.logger.addHandler(lines[0])
    runner.val()
    assert sum(line.startswith("protocol: ") for line in lines[1]) == 1
