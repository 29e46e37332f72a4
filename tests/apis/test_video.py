"""Videos: every frame read, painted and written; tracking asks for its package."""

import builtins
import json

import cv2
import numpy as np
import pytest

from ovdense.apis.results import DetectionResult
from ovdense.apis.video import VideoError, _painted, detect_video, follow, is_video, make_tracker
from ovdense.structures import Vocabulary


class SquareFinder:
    """Stands for a detector: boxes the bright square of a frame."""

    vocabulary = Vocabulary.parse(["square"])

    def __call__(self, frame):
        rows, columns = (np.flatnonzero((frame > 128).any(2).any(axis)) for axis in (1, 0))
        box = [[columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]]
        return DetectionResult(
            ("square",),
            [[255, 0, 0]],
            boxes=np.array(box, np.float32),
            scores=np.array([0.9], np.float32),
            labels=np.array([0]),
            size=frame.shape[:2],
        )


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (96, 64))
    if not writer.isOpened():
        pytest.skip("this OpenCV writes no videos")
    for step in range(6):
        frame = np.zeros((64, 96, 3), np.uint8)
        frame[16:40, 8 + 4 * step : 32 + 4 * step] = 255
        writer.write(frame)
    writer.release()
    return path


def test_every_frame_is_boxed_and_written(clip, tmp_path):
    report = detect_video(SquareFinder(), clip, tmp_path / "out", track=False, progress=False)
    assert (report.frames, report.boxes, report.tracks) == (6, 6, None)
    document = json.loads((tmp_path / "out" / "clip_detections.json").read_text())
    assert [one["frame"] for one in document["images"]] == list(range(6))
    starts = [one["bbox"][0] for one in document["annotations"]]
    np.testing.assert_allclose(np.diff(starts), 4, atol=1.1)
    written = cv2.VideoCapture(str(report.files[0]))
    assert written.get(cv2.CAP_PROP_FRAME_COUNT) == 6 and written.read()[1].shape == (64, 96, 3)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["clip_boxes.mp4", "clip_detections.json"]


def test_painted_frames_have_the_place_and_size_of_the_video(clip, tmp_path):
    """Pictures this small are enlarged and get a legend when painted alone; frames must not."""
    report = detect_video(SquareFinder(), clip, tmp_path / "out", track=False, progress=False)
    painted = cv2.VideoCapture(str(report.files[0])).read()[1].astype(int)
    assert painted[48:].max() < 60 and painted[24:, 44:].max() < 60  # far from the square and its name: still dark
    assert painted[28:36, 14:26].min() > 180  # within it: still bright


def test_track_numbers_are_painted():
    result = SquareFinder()(np.full((64, 96, 3), 200, np.uint8))
    frame = np.zeros((640, 960, 3), np.uint8)
    plain, numbered, other = (_painted(result, numbers, frame) for numbers in (None, [3], [8]))
    assert plain.shape == numbered.shape == (640, 960, 3)
    assert (plain != numbered).any() and (numbered != other).any()


def test_one_frame_in_so_many(clip, tmp_path):
    report = detect_video(SquareFinder(), clip, tmp_path, track=False, every=2, max_frames=2, progress=False)
    document = json.loads((tmp_path / "clip_detections.json").read_text())
    assert report.frames == 2 and [one["frame"] for one in document["images"]] == [0, 2]


def test_tracks_stay_with_their_object(clip, tmp_path):
    pytest.importorskip("supervision")
    pytest.importorskip("trackers")
    report = detect_video(SquareFinder(), clip, tmp_path, progress=False)
    document = json.loads((tmp_path / "clip_detections.json").read_text())
    assert report.tracks == 1 and len({one["track_id"] for one in document["annotations"]}) == 1
    assert len(document["annotations"]) >= 5


def test_tracking_without_its_package_says_what_to_do(monkeypatch):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "supervision":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImportError, match=r"pip install supervision.*--no-track"):
        make_tracker()


def test_what_is_no_video_is_said(tmp_path):
    assert is_video("a.MP4") and not is_video("a.jpg")
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(VideoError, match=r"cannot read .*text\.mp4"):
        detect_video(SquareFinder(), tmp_path / "text.mp4", tmp_path, track=False)
    with pytest.raises(VideoError, match="no video there"):
        detect_video(SquareFinder(), tmp_path / "none.mp4", tmp_path, track=False)


class Tracked(list):
    """Stands for supervision's detections with track numbers."""

    def __init__(self, index, numbers):
        super().__init__(index)
        self.data, self.tracker_id = dict(index=np.array(index)), np.array(numbers)


def test_boxes_without_a_track_are_left_out(monkeypatch):
    result = SquareFinder()(np.full((64, 96, 3), 200, np.uint8))
    three = result._subset(np.zeros(3, int))
    monkeypatch.setattr("ovdense.apis.video._numbered", lambda result: result)
    kept, numbers = follow(lambda _: Tracked([2, 0, 1], [7, -1, 4]), three)
    assert len(kept) == 2 and numbers == [7, 4]
    assert follow(lambda _: [], three)[1] == []
