"""Detection in videos: read and written by OpenCV, boxes followed from frame to frame by ByteTrack.

ByteTrack comes from the package ``trackers``, or from ``supervision`` up to 0.30, which had one of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ovdense.apis.detector import Detector
from ovdense.apis.files import OutputError, ensure_writable, write_json

VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg")


class VideoError(ValueError):
    """A video that cannot be read."""


@dataclass
class VideoReport:
    """What was read and written: frames, boxes, tracks (None without tracking), files."""

    frames: int
    boxes: int
    tracks: int | None
    files: list[Path]


def is_video(path: str | Path) -> bool:
    """Whether a file is a video by its ending."""
    return Path(path).suffix.lower() in VIDEO_SUFFIXES


def detect_video(
    detector: Detector,
    source: str | Path,
    out: str | Path,
    *,
    track: bool = True,
    every: int = 1,
    max_frames: int | None = None,
    adjust=None,
    progress: bool = True,
) -> VideoReport:
    """Writes the painted video ``NAME_boxes.mp4`` and ``NAME_detections.json`` (COCO; ``track_id`` where tracked).

    Args:
        detector: with its words set.
        source: video file.
        out: folder of the results.
        track: follows boxes over frames; needs ``pip install supervision trackers``.
        every: looks at one frame in so many, and leaves the others out of the result.
        max_frames: frames that are looked at, at most.
        adjust: function that is applied to every frame's result.
        progress: whether a bar is shown.

    Raises:
        VideoError: no such file, or OpenCV cannot read it.
        ImportError: tracking without its packages.
        OutputError: the folder cannot be written to, or OpenCV has no encoder.
    """
    if every < 1:
        raise ValueError(f"every is 1 or more frames, got {every}")
    update = make_tracker() if track else None
    out, source = ensure_writable(out), Path(source)
    video = open_video(source)
    rate = (video.get(cv2.CAP_PROP_FPS) or 25.0) / every
    total = int(video.get(cv2.CAP_PROP_FRAME_COUNT)) // every or None
    total = max_frames if total is None or (max_frames and max_frames < total) else total
    target, partial = out / f"{source.stem}_boxes.mp4", out / f".{source.stem}_boxes.partial.mp4"
    writer, images, annotations, tracks = None, [], [], set()
    try:
        for number, frame in _progress(_frames(video, every, max_frames), total, progress):
            result = detector(frame)
            result = result if adjust is None else adjust(result)
            numbers = None
            if update is not None:
                result, numbers = follow(update, result)
                tracks.update(numbers)
            image_id = len(images) + 1
            height, width = frame.shape[:2]
            images.append(dict(id=image_id, file_name=source.name, frame=number, height=height, width=width))
            for index, one in enumerate(result.to_coco(image_id)):
                one["id"] = len(annotations) + 1
                if numbers is not None:
                    one["track_id"] = int(numbers[index])
                annotations.append(one)
            writer = writer or _writer(partial, rate, (width, height))
            writer.write(_painted(result, numbers, frame))
        if not images:
            raise VideoError(f"{source} has no frame that OpenCV can read")
        writer.release()
        os.replace(partial, target)
    finally:
        video.release()
        if writer is not None:
            writer.release()
        partial.unlink(missing_ok=True)
    categories = [dict(id=index, name=name) for index, name in enumerate(detector.vocabulary.classes, 1)]
    document = dict(images=images, annotations=annotations, categories=categories)
    files = [target, write_json(out / f"{source.stem}_detections.json", document)]
    return VideoReport(len(images), len(annotations), len(tracks) if track else None, files)


def open_video(source: Path) -> cv2.VideoCapture:
    """OpenCV's reader of a file."""
    if not source.is_file():
        raise VideoError(f"no video there: {source}")
    video = cv2.VideoCapture(str(source))
    if not video.isOpened():
        raise VideoError(f"OpenCV cannot read {source}: is it a video? re-encode it as H.264 in .mp4")
    return video


def make_tracker() -> Callable:
    """ByteTrack's function from a frame's ``supervision.Detections`` to the same with track numbers.

    Every box starts a track: what is unlikely was taken out before, and open-vocabulary scores are often low.

    Raises:
        ImportError: its packages are not installed; says what to do.
    """
    try:
        import supervision

        try:
            from trackers import ByteTrackTracker
        except ImportError:
            if not hasattr(supervision, "ByteTrack"):
                raise
            return supervision.ByteTrack(track_activation_threshold=0.0).update_with_detections
    except ImportError as error:
        raise ImportError(
            "tracking needs pip install supervision trackers (extra: demo); without them, add --no-track for boxes "
            f"frame by frame ({error})"
        ) from error
    options = dict(track_activation_threshold=0.0, high_conf_det_threshold=0.0, minimum_consecutive_frames=1)
    return ByteTrackTracker(**options).update


def follow(update: Callable, result) -> tuple:
    """The boxes of a frame that belong to a track, and the track's number of each."""
    tracked = update(_numbered(result))
    if not len(tracked):
        return result._subset(np.zeros(0, int)), []
    belongs = tracked.tracker_id >= 0  # -1 stands for no track
    index = tracked.data["index"].astype(int)[belongs]
    return result._subset(index), [int(number) for number in tracked.tracker_id[belongs]]


def _numbered(result):
    """supervision's detections that remember their place in the result."""
    detections = result.to_supervision()
    detections.mask = None
    detections.data["index"] = np.arange(len(result))
    return detections


def _frames(video: cv2.VideoCapture, every: int, limit: int | None):
    """(number, BGR frame) of one frame in ``every``."""
    number = given = 0
    while limit is None or given < limit:
        if not video.grab():
            return
        if number % every == 0:
            done, frame = video.retrieve()
            if not done:
                return
            yield number, frame
            given += 1
        number += 1


def _progress(frames, total: int | None, shown: bool):
    if not shown:
        return frames
    from rich.progress import track

    return track(frames, total=total, description="frames")


def _writer(path: Path, rate: float, size: tuple[int, int]) -> cv2.VideoWriter:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), rate, size)
    if not writer.isOpened():
        raise OutputError(f"OpenCV cannot write {path.suffix} videos into {path.parent}")
    return writer


def _painted(result, numbers: list[int] | None, frame: np.ndarray) -> np.ndarray:
    """The frame with its boxes at the video's own size, so without a legend; tracks have their number."""
    notes = None if numbers is None else [f"#{number}" for number in numbers]
    return result.plot(frame, legend=False, max_side=max(frame.shape[:2]), notes=notes)
