"""``ovdense demo``: a photograph and a drawn scene, segmented and boxed by words, with the embedded models."""

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
    """A picture (BGR), the embedded model that suits it, and the words asked for."""

    name: str
    model: str
    image: np.ndarray
    segment: str
    detect: str
    score_thr: float


def run_demo(out: str | Path = "outputs/demo", device=None, echo=print) -> list[Path]:
    """Writes two pictures, each as it is, segmented and boxed, and says what was found.

    Raises:
        OutputError: the folder cannot be written to.
    """
    out = ensure_writable(out)
    files = []
    for show in (photo(), scene()):
        files.append(write_image(out / f"{show.name}.png", show.image))
        segments = Segmenter.from_pretrained(show.model, device=device)(show.image, show.segment)
        files.append(segments.save_plot(out / f"{show.name}_segments.png"))
        echo(f'{show.name}: segment --classes "{show.segment}": {describe(segments)}')
        detector = Detector.from_pretrained(show.model, device=device)
        boxes = detector(show.image, show.detect).above(show.score_thr).top(20)
        files.append(boxes.save_plot(out / f"{show.name}_boxes.png"))
        echo(f'{show.name}: detect --classes "{show.detect}": {describe(boxes)}')
    for path in files:
        echo(f"wrote {path}")
    return files


def photo() -> Show:
    """A photograph that scikit-image carries."""
    from skimage import data

    return Show("photo", "lite", data.chelsea()[..., ::-1].copy(), "cat, sofa, wall", "cat, dog", 0.3)


def scene() -> Show:
    """A drawn scene of three objects, and words for things that are not in it."""
    from ovdense.datasets.scenes import demo_scene

    drawn = demo_scene()
    things = [name for name in drawn.names if name not in drawn.stuff]
    segment = ", ".join([*drawn.names, "cat", "tomato", "grass"])
    detect = ", ".join([*things, "cat", "tomato"])
    return Show("scene", "scenes", drawn.image[..., ::-1].copy(), segment, detect, 0.1)
