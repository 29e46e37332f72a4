"""Reading pictures of every kind into one form: BGR uint8 (H, W, 3).

Shapes: images are (H, W, 3) in BGR order, as mmcv and OpenCV keep them.
"""

from __future__ import annotations

import io
import os
import re
import threading
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

MAX_PIXELS = 2**28  # 16,384 x 16,384; decoding such a picture takes about 3 GB for a moment
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".pgm", ".avif", ".jp2")

_STRIP_ROWS = 512  # rows converted at a time, so that a huge picture is never held twice as an array
_pillow_limit = threading.Lock()


class ImageError(ValueError, OSError):
    """A picture that cannot be read; the message names the file, what came, and the remedy."""


def read_image(source, *, array_order: str = "bgr", max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Any picture as a contiguous BGR uint8 array (H, W, 3).

    16-bit values are divided by 257, grey is repeated over the channels, transparent pixels are composited on white,
    CMYK and palettes are converted, the EXIF orientation is applied, and of an animation the first frame is taken.

    Args:
        source: a path, the bytes of an image file, a PIL image, or an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4).
            Arrays may be bool, uint8, uint16, or float within [0, 1] or [0, 255].
        array_order: channel order of an array with colours, ``bgr`` or ``rgb``.
        max_pixels: larger pictures are refused before they are decoded.

    Raises:
        ImageError: missing, empty, truncated, too large or not an image; it is a ValueError and an OSError.

    Example:
        >>> read_image(np.full((2, 3), 65535, np.uint16)).shape
        (2, 3, 3)
    """
    if isinstance(source, np.ndarray):
        return _from_array(source, array_order, max_pixels)
    if isinstance(source, Image.Image):
        return _from_pillow(source, "a PIL image", max_pixels)
    if isinstance(source, (bytes, bytearray, memoryview)):
        name = f"{len(source)} bytes"
        return _decode(io.BytesIO(source), name, bytes(source[:16]), max_pixels)
    if isinstance(source, (str, os.PathLike)):
        return _from_path(source, max_pixels)
    raise ImageError(f"an image is a path, bytes, an array or a PIL image, got {type(source).__name__}")


def find_images(source: str | os.PathLike) -> list[Path]:
    """The image files that a path, a folder (not its subfolders) or a glob pattern stands for, sorted.

    Raises:
        ImageError: a folder or pattern without any image.
    """
    path = Path(source)
    if path.is_dir():
        found = sorted(file for file in path.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file())
        if not found:
            deeper = next((file for file in path.rglob("*") if file.suffix.lower() in IMAGE_SUFFIXES), None)
            below = "" if deeper is None else f", but its subfolders do, such as {deeper}: give '{path}/**/*'"
            raise ImageError(f"folder {path} holds no image ({', '.join(IMAGE_SUFFIXES)}){below}")
        return found
    if not path.exists() and re.search(r"[*?\[]", str(source)):
        root = Path(path.anchor) if path.anchor else Path()
        pattern = str(path.relative_to(path.anchor)) if path.anchor else str(path)
        every = sorted(file for file in root.glob(pattern) if file.is_file())
        found = [file for file in every if file.suffix.lower() in IMAGE_SUFFIXES] or every
        if not found:
            raise ImageError(f"no file matches {source}")
        return found
    return [path]


def _from_path(source: str | os.PathLike, max_pixels: int) -> np.ndarray:
    name = os.fspath(source)
    if isinstance(name, bytes):
        name = os.fsdecode(name)
    if re.match(r"^[A-Za-z][A-Za-z0-9+.-]+://", name):
        raise ImageError(f"web addresses are not opened: download the picture and give its path, got {name}")
    path = Path(name).expanduser()
    if path.is_dir():
        raise ImageError(f"{name} is a folder: name a picture in it")
    try:
        with open(path, "rb") as file:
            head = file.read(16)
            file.seek(0)
            return _decode(file, name, head, max_pixels)
    except ImageError:
        raise
    except FileNotFoundError:
        raise ImageError(f"no such file: {name} (relative to {Path.cwd()})") from None
    except (OSError, ValueError) as error:  # no permission, a name with a NUL, a broken disk
        raise ImageError(f"cannot open {name!r}: {error}") from error


def _decode(file, name: str, head: bytes, max_pixels: int) -> np.ndarray:
    if not head:
        raise ImageError(f"{name} is empty: not one byte of an image")
    try:
        with _without_pillow_limit():
            image = Image.open(file)
    except Exception as error:  # decoders raise whatever they like on broken headers
        raise ImageError(
            f"{name} is not an image that Pillow can read: convert it to PNG or JPEG; it starts with {head!r}"
        ) from error
    with image:
        return _from_pillow(image, name, max_pixels)


def _from_pillow(image: Image.Image, name: str, max_pixels: int) -> np.ndarray:
    _check_size(image.size[::-1], name, max_pixels)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = ImageOps.exif_transpose(image)
            return _pillow_to_bgr(image)
    except ImageError as error:
        raise ImageError(f"{name}: {error}") from None
    except MemoryError as error:
        raise ImageError(f"{name} does not fit in memory: {image.width} x {image.height} pixels") from error
    except Exception as error:  # truncated or corrupt data: OSError, SyntaxError, EOFError, struct.error, ...
        raise ImageError(
            f"{name} is damaged or cut short ({type(error).__name__}: {error}): fetch or export it again"
        ) from error


def _pillow_to_bgr(image: Image.Image) -> np.ndarray:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _grey_to_bgr(_high_depth_to_uint8(np.asarray(image)))
    if image.mode == "LAB":
        image = _lab_to_rgb(image)
    alpha = image.has_transparency_data
    image.load()
    out = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, _STRIP_ROWS):
        strip = image.crop((0, top, image.width, min(top + _STRIP_ROWS, image.height)))
        part = out[top : top + _STRIP_ROWS]
        if alpha:
            part[:] = _composite_on_white(np.asarray(strip.convert("RGBA")))[..., ::-1]
        else:
            part[:] = np.asarray(strip.convert("RGB"))[..., ::-1]
    return out


def _from_array(array: np.ndarray, array_order: str, max_pixels: int) -> np.ndarray:
    if array_order not in ("bgr", "rgb"):
        raise ValueError(f"array_order is 'bgr' or 'rgb', got {array_order!r}")
    if array.ndim == 3 and array.shape[-1] not in (1, 3, 4) and array.shape[0] in (1, 3, 4):
        raise ImageError(f"an image array has its channels last: use array.transpose(1, 2, 0), got {array.shape}")
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[-1] not in (1, 3, 4)):
        raise ImageError(f"an image array is (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), got shape {array.shape}")
    _check_size(array.shape, "the array", max_pixels)
    array = _high_depth_to_uint8(array)
    if array.ndim == 2 or array.shape[-1] == 1:
        return _grey_to_bgr(array.reshape(array.shape[:2]))
    if array.shape[-1] == 4:
        array = _composite_on_white(array)
    return np.array(array if array_order == "bgr" else array[..., ::-1], order="C")


def _check_size(shape: tuple[int, ...], name: str, max_pixels: int) -> None:
    height, width = shape[:2]
    if height == 0 or width == 0:
        raise ImageError(f"{name} has no pixels: {width} x {height}")
    if height * width > max_pixels:
        raise ImageError(
            f"{name} has {width} x {height} = {height * width / 1e6:.0f} million pixels, more than the limit of "
            f"{max_pixels / 1e6:.0f} million: scale it down, cut it into tiles, or raise max_pixels"
        )


def _high_depth_to_uint8(array: np.ndarray) -> np.ndarray:
    """Values of any depth on the 8-bit scale."""
    if array.dtype == np.uint8:
        return array
    if array.dtype == bool:
        return array.astype(np.uint8) * 255
    if array.dtype == np.uint16 or array.dtype == ">u2":
        return _scaled(array, 1 / 257)
    low, high = array.min(), array.max()
    if not (np.isfinite(low) and np.isfinite(high)) or low < 0:
        raise ImageError(f"pixel values must be finite and not negative, got {low} to {high} ({array.dtype})")
    if array.dtype.kind == "f" and high <= 1:
        return _scaled(array, 255)
    if high <= 255:
        return _scaled(array, 1)
    if array.dtype.kind in "iu" and high <= 65535:
        return _scaled(array, 1 / 257)
    raise ImageError(
        f"pixel values must lie in [0, 1], [0, 255] or, as integers, [0, 65535]: rescale them, "
        f"got {low} to {high} ({array.dtype})"
    )


def _scaled(array: np.ndarray, factor: float) -> np.ndarray:
    out = np.empty(array.shape, np.uint8)
    for top in range(0, len(array), _STRIP_ROWS):
        out[top : top + _STRIP_ROWS] = np.rint(array[top : top + _STRIP_ROWS] * np.float32(factor))
    return out


def _composite_on_white(rgba: np.ndarray) -> np.ndarray:
    """(H, W, 4) with alpha last -> (H, W, 3)."""
    out = np.empty((*rgba.shape[:2], 3), np.uint8)
    for top in range(0, len(rgba), _STRIP_ROWS):
        part = rgba[top : top + _STRIP_ROWS].astype(np.float32)
        alpha = part[..., 3:] / 255
        out[top : top + _STRIP_ROWS] = np.rint(part[..., :3] * alpha + 255 * (1 - alpha))
    return out


def _grey_to_bgr(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[..., None], 3, axis=2)


def _lab_to_rgb(image: Image.Image) -> Image.Image:
    from PIL import ImageCms

    return ImageCms.profileToProfile(
        image, ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), outputMode="RGB"
    )


@contextmanager
def _without_pillow_limit():
    """Pillow's own limit is a process-wide number; ours is checked instead, before anything is decoded."""
    with _pillow_limit:
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before
