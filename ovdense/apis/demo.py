"""``ovdense demo``: photographs and a drawn scene, segmented and boxed by words, with the embedded models."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ovdense.apis.batch import describe
from ovdense.apis.detector import Detector
from ovdense.apis.files import ensure_writable, write_image
from ovdense.apis.segmenter import Segmenter


@dataclass(frozen=True)
class Show:
    """A picture (BGR), the embedded model that suits it, and the words to segment or box it by ('' for not at all)."""

    name: str
    model: str
    image: np.ndarray
    segment: str = ""
    detect: str = ""
    score_thr: float = 0.3


def run_demo(out: str | Path = "outputs/demo", device=None, echo=print) -> list[Path]:
    """Writes the pictures as they are, segmented and boxed, and says what was found.

    Raises:
        OutputError: the folder cannot be written to.
    """
    out = ensure_writable(out)
    files = []
    for show in (*photos(), scene()):
        files.append(write_image(out / f"{show.name}.png", show.image))
        if show.segment:
            segments = Segmenter.from_pretrained(show.model, device=device)(show.image, show.segment)
            files.append(segments.save_plot(out / f"{show.name}_segments.png"))
            echo(f'{show.name}: segment --classes "{show.segment}": {describe(segments)}')
        if show.detect:
            detector = Detector.from_pretrained(show.model, device=device)
            boxes = detector(show.image, show.detect).above(show.score_thr).top(20)
            files.append(boxes.save_plot(out / f"{show.name}_boxes.png"))
            echo(f'{show.name}: detect --classes "{show.detect}": {describe(boxes)}')
    for path in files:
        echo(f"wrote {path}")
    return files


def photos() -> tuple[Show, Show]:
    """Two photographs that scikit-image carries."""
    from skimage import data

    return (
        Show("astronaut", "lite", data.astronaut()[..., ::-1].copy(), segment="woman, flag, space shuttle, wall"),
        Show("cat", "lite", data.chelsea()[..., ::-1].copy(), detect="cat, dog"),
    )


def scene() -> Show:
    """A drawn scene of three objects."""
    from ovdense.datasets.scenes import demo_scene

    drawn = demo_scene()
    things = ", ".join(name for name in drawn.names if name not in drawn.stuff)
    image = drawn.image[..., ::-1].copy()
    return Show("scene", "scenes", image, segment=", ".join(drawn.names), detect=things)
