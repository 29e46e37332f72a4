"""The test_cfg of the segmentor, checked."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class TestSettings:
    """How images are cut, and how logits become labels.

    Args:
        mode: ``whole`` image at once, or ``slide`` a window over it.
        crop_size: (height, width) of a window in pixels, or one number; for ``slide``.
        stride: step of the window, likewise.
        window_batch: windows that go through the backbone together.
        logit_scale: factor of the cosines inside the softmax.
        prob_threshold: pixels whose best phrase has a lower probability, among all phrases, become background;
            None: off.
        area_threshold: drop classes that cover no more than this share of the foreground (SCLIP); None: off.
        resize: ``two_step``: grid to input size, then to the original size, as the official protocols do;
            ``direct``: one step, a little sharper.
        align_corners: of both steps.
        window_align_corners: of the first step; None: as ``align_corners`` (Talk2DINO: True, and False for the second).
        window_softmax: take the softmax over all phrases at the pixels of each window and average probabilities where
            windows overlap, instead of logits (dino.txt).
        contrast: share of each phrase's mean score over the picture that is taken off its map, before everything else.
            Above 0, a phrase that is somewhat likely everywhere loses to those that are likely in one place; 1 leaves
            no say to how well a phrase suits the whole picture.
        min_region: connected regions of the label map below this share of the picture take the label around them;
            None: off. ``seg_prob`` stays the top probability of each pixel.
        region_vote: every region mask takes the label of most of its pixels, last of all (CorrCLIP). ``smallest``: as
            its code does, the lowest region id of a picture counts as no region, whatever it is.
        return_prob: give the top probability as ``seg_prob``.
        keep_logits: give all class logits as ``seg_logits``: classes x height x width floats.
        official_quirks: stretch the grid of a padded window over the unpadded one, as MaskCLIP's code does.
    """

    __test__ = False

    mode: str = "whole"
    crop_size: tuple[int, int] | None = None
    stride: tuple[int, int] | None = None
    window_batch: int = 8
    logit_scale: float = 100.0
    prob_threshold: float | None = None
    area_threshold: float | None = None
    resize: str = "two_step"
    align_corners: bool = False
    window_align_corners: bool | None = None
    window_softmax: bool = False
    contrast: float = 0.0
    min_region: float | None = None
    region_vote: bool | str = False
    return_prob: bool = False
    keep_logits: bool = False
    official_quirks: bool = False

    def __post_init__(self) -> None:
        for name, choices in (
            ("mode", ("whole", "slide")),
            ("resize", ("two_step", "direct")),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(f"test_cfg.{name} must be one of {choices}, got {getattr(self, name)!r}")
        if self.mode == "slide":
            for name in ("crop_size", "stride"):
                object.__setattr__(self, name, _pair(name, getattr(self, name)))
            if any(step > side for step, side in zip(self.stride, self.crop_size)):
                raise ValueError(f"test_cfg.stride {self.stride} leaves gaps between windows of {self.crop_size}")
        if self.window_softmax and self.resize != "two_step":
            raise ValueError(f"test_cfg.window_softmax goes with resize='two_step', got {self.resize!r}")
        if not 0 <= self.contrast <= 1:
            raise ValueError(f"test_cfg.contrast is a share from 0 to 1, got {self.contrast}")
        if self.min_region is not None and not 0 <= self.min_region < 1:
            raise ValueError(f"test_cfg.min_region is a share of the picture below 1, got {self.min_region}")
        if self.region_vote not in (False, True, "smallest"):
            raise ValueError(f"test_cfg.region_vote must be True, False or 'smallest', got {self.region_vote!r}")
        if self.window_batch < 1:
            raise ValueError(f"test_cfg.window_batch must be at least 1, got {self.window_batch}")

    @classmethod
    def parse(cls, config: dict | TestSettings | None) -> TestSettings:
        """From a config dict; names of settings that do not exist are errors."""
        if isinstance(config, cls):
            return config
        known = {field.name for field in fields(cls)}
        unknown = set(config or {}) - known
        if unknown:
            raise ValueError(f"test_cfg has no {sorted(unknown)}; it takes {sorted(known)}")
        return cls(**(config or {}))


def _pair(name: str, value) -> tuple[int, int]:
    pair = (value, value) if isinstance(value, int) else value
    if pair is None or len(pair) != 2 or min(pair) < 1:
        raise ValueError(
            f"test_cfg.{name} must be (height, width) in pixels or one number for mode 'slide', got {value!r}"
        )
    return int(pair[0]), int(pair[1])
