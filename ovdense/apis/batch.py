"""Many pictures in, files out: what the command line and the demos do with a predictor."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

from ovdense.apis.files import ensure_writable, write_json
from ovdense.apis.label_files import FORMATS, write_label_studio, write_yolo
from ovdense.apis.predictor import Predictor
from ovdense.apis.results import DetectionResult, FailedImage, PanopticResult, SegmentationResult, coco_document
from ovdense.datasets.transforms import ImageError, find_images


@dataclass
class Report:
    """What a run wrote and what it found."""

    rows: list[tuple[str, str, str]] = field(default_factory=list)  # picture, what was found, file
    failed: list[FailedImage] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)


def gather_images(sources: Iterable[str]) -> tuple[list[Path], list[FailedImage]]:
    """Files of paths, folders and patterns, each once, and the sources that name none."""
    found: dict[Path, None] = {}
    failed = []
    for source in sources:
        try:
            found.update(dict.fromkeys(find_images(source)))
        except ImageError as error:
            failed.append(FailedImage(str(source), error))
    return list(found), failed


def predict_to_folder(
    predictor: Predictor,
    sources: Iterable[str],
    out: str | Path,
    *,
    batch_size: int = 1,
    legend: bool = True,
    json: bool = True,
    adjust=None,
    progress: bool = True,
    formats: Iterable[str] = (),
) -> Report:
    """Writes an overlay for each picture, label maps when segmenting, and one COCO json for all.

    Args:
        predictor: with its words set.
        sources: picture files, folders and glob patterns.
        out: folder of the results; it is tried before any work is done.
        batch_size: pictures of equal size that share a forward pass.
        legend: whether overlays carry a legend.
        json: whether a COCO json is written.
        adjust: function that is applied to every result before it is written.
        progress: whether a bar is shown.
        formats: further files of detections, ``yolo`` and ``label-studio`` (``label_files.FORMATS``).

    Raises:
        OutputError: the folder cannot be written to, or the disk is full.
    """
    out = ensure_writable(out)
    paths, failed = gather_images(sources)
    report = Report(failed=failed)
    names = _unique_names(paths)
    stream = predictor.iter_predict(paths, batch_size=batch_size)
    if progress and len(paths) > 1:
        from rich.progress import track

        stream = track(stream, total=len(paths), description="pictures")
    documents, kept = {}, {}
    rows = {}
    for index, result in stream:
        if isinstance(result, FailedImage):
            report.failed.append(result)
            continue
        if adjust is not None:
            result = adjust(result)
        overlay, files = _write(result, out, names[index], legend)
        report.files += files
        rows[index] = (paths[index].name, describe(result), str(overlay))
        if json:
            documents[index] = coco_document([result])
        if formats and isinstance(result, DetectionResult):
            kept[index] = replace(result, masks=None, image=None)
    report.rows = [rows[index] for index in sorted(rows)]
    if json and documents:
        kind = "detections" if predictor.task == "detection" else "segments"
        report.files.append(write_json(out / f"{kind}.json", _joined([documents[i] for i in sorted(documents)])))
    report.files += _label_files(kept, paths, names, out, set(formats))
    return report


def _label_files(kept: dict, paths: list[Path], names: list[str], out: Path, formats: set[str]) -> list[Path]:
    """YOLO's and Label Studio's files of the detections."""
    unknown = sorted(formats - set(FORMATS))
    if unknown:
        raise ValueError(f"formats are {', '.join(FORMATS)}, got {unknown}")
    order, files = sorted(kept), []
    results = [kept[index] for index in order]
    if results and "yolo" in formats:
        files += write_yolo(results, out / "yolo", [names[index] for index in order])
    if results and "label-studio" in formats:
        urls = [f"/data/local-files/?d={paths[index].as_posix().lstrip('/')}" for index in order]
        files += write_label_studio(results, out / "label_studio.json", urls)
    return files


def list_files(files: Iterable[Path], limit: int = 4) -> list[str]:
    """The files one by one; those of one kind in one folder, such as label maps, as their number."""
    kinds: dict[tuple, list] = {}
    for path in files:
        kinds.setdefault((path.parent, path.suffix), []).append(path)
    lines = []
    for (folder, suffix), paths in kinds.items():
        lines += map(str, paths) if len(paths) <= limit else [f"{len(paths)} {suffix} files in {folder}"]
    return lines


def describe(result: SegmentationResult | DetectionResult | PanopticResult, limit: int = 4) -> str:
    """The most prominent findings in a few words."""
    words = []
    if not isinstance(result, SegmentationResult):
        words += [f"{count} {name}" for name, count in result.counts().items()]
    if not isinstance(result, DetectionResult):
        words += [f"{name} {100 * share:.0f} %" for name, share in result.areas().items() if share >= 0.005]
    more = f", and {len(words) - limit} more" if len(words) > limit else ""
    return ", ".join(words[:limit]) + more or "nothing"


def _write(result, out: Path, name: str, legend: bool) -> tuple[Path, list[Path]]:
    if isinstance(result, SegmentationResult):
        overlay = result.save_plot(out / f"{name}_segments.jpg", legend=legend)
        return overlay, [overlay, result.save_mask(out / f"{name}_labels.png")]
    if isinstance(result, PanopticResult):
        overlay = result.save_plot(out / f"{name}_panoptic.jpg", legend=legend)
        return overlay, [overlay, result.save_mask(out / f"{name}_ids.png")]
    overlay = result.save_plot(out / f"{name}_boxes.jpg", legend=legend)
    return overlay, [overlay]


def _unique_names(paths: list[Path]) -> list[str]:
    """File stems, with a number where two pictures share one."""
    taken = {path.stem for path in paths}
    seen: set[str] = set()
    names = []
    for path in paths:
        name = path.stem
        if name in seen:
            name = next(name for n in count(2) if (name := f"{path.stem}-{n}") not in taken)
        seen.add(name)
        taken.add(name)
        names.append(name)
    return names


def _joined(documents: list[dict]) -> dict:
    """COCO documents of single pictures as one, numbered anew."""
    images, annotations = [], []
    for image_id, document in enumerate(documents, 1):
        images += [dict(image, id=image_id) for image in document["images"]]
        annotations += [dict(annotation, image_id=image_id) for annotation in document["annotations"]]
    annotations = [dict(annotation, id=number) for number, annotation in enumerate(annotations, 1)]
    return dict(images=images, annotations=annotations, categories=documents[0]["categories"])
