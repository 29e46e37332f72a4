"""A test's figures as a json file: with what they were taken, from what code, config and weights, class by class."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path

from mmengine.config import Config

from ovdense.apis.files import write_json
from ovdense.apis.provenance import config_digest, git_state, versions, weight_digests


def score_report(
    metrics: Mapping[str, float],
    *,
    config: Config,
    name: str,
    task: str,
    protocol: Mapping,
    line: str,
    evaluators: Sequence = (),
    checkpoint: str | None = None,
) -> dict:
    """Plain values for a json file.

    Args:
        metrics: what the test returned.
        config: the settings that ran, command line included.
        name: the config as it was asked for.
        task: segmentation, detection, panoptic, ...
        protocol: what the figures were taken with, and ``line``, the same in words.
        evaluators: the metrics that were computed; those with a ``class_table`` give figures class by class.
        checkpoint: file or address of the weights, None without.

    Returns:
        ``metrics``, ``classes`` (table name -> rows of a class), ``protocol``, ``protocol_line``, ``config``,
        ``config_sha256``, ``checkpoint``, ``checkpoint_sha256`` (of files), ``weights_sha256`` (of embedded models),
        ``versions``, ``git``, ``date`` and ``task``. Figures that are not defined are None.
    """
    tables: dict[str, list] = {}
    for evaluator in evaluators:
        tables.update(getattr(evaluator, "class_table", None) or {})
    return _plain(
        dict(
            task=task,
            config=name,
            config_sha256=config_digest(config),
            checkpoint=checkpoint,
            checkpoint_sha256=_file_digest(checkpoint),
            weights_sha256=weight_digests(config),
            date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            versions=versions(),
            git=git_state(),
            protocol_line=line,
            metrics=dict(metrics),
            classes=tables,
            protocol=dict(protocol),
        )
    )


def write_score_report(path: str | Path, report: Mapping) -> Path:
    """Writes the report, whole or not at all.

    Raises:
        OutputError: the folder cannot be written to.
    """
    return write_json(path, report, indent=1)


def _file_digest(path: str | None) -> str | None:
    """SHA-256, as hex, of a file on this machine."""
    if path is None or not Path(path).is_file():
        return None
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def _plain(content):
    """Numbers, strings, lists and dicts only; what is no finite number becomes None, as json has no NaN."""
    if isinstance(content, Mapping):
        return {str(key): _plain(value) for key, value in content.items()}
    if isinstance(content, (list, tuple, set, frozenset)):
        return [_plain(value) for value in content]
    if isinstance(content, (bool, int, str)) or content is None:
        return content
    if hasattr(content, "tolist"):  # NumPy and torch
        return _plain(content.tolist())
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    return str(content)
