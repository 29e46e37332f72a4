"""Every kind of picture becomes BGR uint8 (H, W, 3), or an error that names it; expected values worked out by hand."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image

from ovdense.datasets.transforms import ImageError, find_images, read_image


def encoded(image, kind="PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def solid(mode, colour, size=(5, 3)):
    return Image.new(mode, size, colour)


def exif_rotated() -> bytes:
    """5 x 3 stored, red at the left; orientation 6 means: turn it clockwise to look at it."""
    image = solid("RGB", (0, 0, 0), (5, 3))
    image.paste((255, 0, 0), (0, 0, 1, 3))
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(image, "PNG", exif=exif)


def animated() -> bytes:
    frames = [solid("RGB", (255, 0, 0)), solid("RGB", (0, 0, 255))]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])


def palette_with_hole() -> Image.Image:
    image = Image.new("P", (5, 3), 1)
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.info["transparency"] = 1
    return image


# name, source, BGR of the top left pixel
GOOD = [
    ("rgb", encoded(solid("RGB", (10, 20, 30))), (30, 20, 10)),
    ("grey", encoded(solid("L", 77)), (77, 77, 77)),
    ("one bit", encoded(solid("1", 1)), (255, 255, 255)),
    ("16-bit white", encoded(Image.fromarray(np.full((3, 5), 65535, np.uint16))), (255, 255, 255)),
    ("16-bit half", encoded(Image.fromarray(np.full((3, 5), 32896, np.uint16))), (128, 128, 128)),
    ("16-bit dark", encoded(Image.fromarray(np.full((3, 5), 257 * 9, np.uint16))), (9, 9, 9)),
    ("16-bit TIFF", encoded(Image.fromarray(np.full((3, 5), 257 * 9, np.uint16)), "TIFF"), (9, 9, 9)),
    ("float TIFF", encoded(Image.fromarray(np.full((3, 5), 0.2, np.float32)), "TIFF"), (51, 51, 51)),
    ("palette", encoded(solid("RGB", (255, 0, 0)).convert("P")), (0, 0, 255)),
    ("palette, transparent", encoded(palette_with_hole()), (255, 255, 255)),
    ("RGBA opaque", encoded(solid("RGBA", (10, 20, 30, 255))), (30, 20, 10)),
    ("RGBA clear", encoded(solid("RGBA", (10, 20, 30, 0))), (255, 255, 255)),
    ("RGBA one fifth", encoded(solid("RGBA", (0, 100, 200, 51))), (244, 224, 204)),
    ("LA", encoded(solid("LA", (100, 51))), (224, 224, 224)),
    ("CMYK", encoded(solid("CMYK", (0, 255, 255, 0)), "TIFF"), (0, 0, 255)),
    ("YCbCr", solid("YCbCr", (255, 128, 128)), (255, 255, 255)),  # Pillow 12 misreads its own small TIFFs of it
    ("first frame", animated(), (0, 0, 255)),
    ("PIL image", solid("RGB", (1, 2, 3)), (3, 2, 1)),
    ("array", np.full((3, 5, 3), (30, 20, 10), np.uint8), (30, 20, 10)),
    ("grey array", np.full((3, 5, 1), 7, np.uint8), (7, 7, 7)),
    ("array with alpha", np.full((3, 5, 4), (9, 9, 9, 0), np.uint8), (255, 255, 255)),
    ("16-bit array", np.full((3, 5), 257 * 3, np.uint16), (3, 3, 3)),
    ("float array", np.full((3, 5, 3), (1.0, 0.0, 0.2)), (255, 0, 51)),
    ("float array of 0..255", np.full((3, 5, 3), 254.6, np.float32), (255, 255, 255)),
    ("bool array", np.ones((3, 5), bool), (255, 255, 255)),
]


@pytest.mark.parametrize(("source", "pixel"), [case[1:] for case in GOOD], ids=[case[0] for case in GOOD])
def test_every_kind_of_picture(source, pixel):
    image = read_image(source)
    assert image.shape == (3, 5, 3) and image.dtype == np.uint8 and image.flags.c_contiguous
    assert tuple(image[0, 0]) == pixel
    assert (image == image[0, 0]).all()


def test_cmyk_jpeg_as_cameras_and_print_shops_write_it():
    image = read_image(encoded(solid("CMYK", (0, 255, 255, 0), (16, 16)), "JPEG", quality=100))
    assert np.abs(image.astype(int) - (0, 0, 255)).max() <= 3


def test_exif_orientation_is_applied():
    image = read_image(exif_rotated())
    assert image.shape == (5, 3, 3)
    assert (image[0] == (0, 0, 255)).all() and (image[1:] == 0).all()


def test_one_pixel(tmp_path):
    solid("RGB", (1, 2, 3), (1, 1)).save(tmp_path / "dot.png")
    assert read_image(tmp_path / "dot.png").tolist() == [[[3, 2, 1]]]
    assert read_image(str(tmp_path / "dot.png")).shape == (1, 1, 3)


def test_rgb_arrays_and_no_aliasing():
    array = np.full((2, 2, 3), (10, 20, 30), np.uint8)
    image = read_image(array, array_order="rgb")
    assert tuple(image[0, 0]) == (30, 20, 10)
    read_image(array)[:] = 0
    assert (array == (10, 20, 30)).all()


def test_strips_of_a_tall_picture_join(monkeypatch):
    rows = np.arange(1300, dtype=np.uint16) % 251
    tall = np.broadcast_to(rows[:, None, None], (1300, 2, 3)).astype(np.uint8)
    assert (read_image(encoded(Image.fromarray(tall))) == tall).all()
    clear = np.concatenate([tall, np.full((1300, 2, 1), 255, np.uint8)], axis=2)
    assert (read_image(encoded(Image.fromarray(clear))) == tall).all()
    assert (read_image(rows.reshape(-1, 1) * 257) == tall[:, :1]).all()


def bomb_header(width, height) -> bytes:
    """A PNG that claims a size and holds nothing."""
    body = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\x00\x00\x00"
    chunk = b"\x00\x00\x00\x0dIHDR" + body + zlib.crc32(b"IHDR" + body).to_bytes(4, "big")
    return b"\x89PNG\r\n\x1a\n" + chunk + b"\x00\x00\x00\x00IDAT" + zlib.crc32(b"IDAT").to_bytes(4, "big")


NOISE = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
# name, source, words of the message
BAD = [
    ("empty", b"", "empty"),
    ("text", b"hello, I am not a picture", "not an image"),
    ("truncated png", encoded(Image.fromarray(NOISE))[:3000], "damaged or cut short"),
    ("truncated jpeg", encoded(Image.fromarray(NOISE), "JPEG")[:900], "damaged or cut short"),
    ("header only", b"\x89PNG\r\n\x1a\n", "not an image"),
    ("too large", bomb_header(60000, 60000), "60000 x 60000 = 3600 million pixels"),
    ("web address", "https://example.org/cat.jpg", "download the picture"),
    ("missing", "no/such/file.png", "no such file: no/such/file.png"),
    ("NUL in the name", "a\0b.png", "cannot open"),
    ("number", 7, "got int"),
    ("none", None, "got NoneType"),
    ("channels first", np.zeros((3, 20, 30), np.uint8), "channels last"),
    ("five channels", np.zeros((20, 30, 5), np.uint8), r"\(20, 30, 5\)"),
    ("no pixels", np.zeros((0, 30, 3), np.uint8), "no pixels"),
    ("nan", np.full((4, 4), np.nan), "finite"),
    ("negative", np.full((4, 4), -1.0), "not negative"),
    ("floats too large", np.full((4, 4), 1000.0), "rescale"),
]


@pytest.mark.parametrize(("source", "words"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_errors_say_what_came(source, words):
    with pytest.raises(ImageError, match=words):
        read_image(source)


def test_errors_are_value_and_os_errors_and_name_the_file(tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"not a jpeg")
    for kind in (ValueError, OSError):
        with pytest.raises(kind, match=r"broken\.jpg"):
            read_image(broken)
    with pytest.raises(ImageError, match="is a folder"):
        read_image(tmp_path)


def test_pillow_limit_is_left_as_it_was(recwarn):
    before = Image.MAX_IMAGE_PIXELS
    assert read_image(encoded(solid("1", 1, (10000, 9500)))).shape == (9500, 10000, 3)
    assert before == Image.MAX_IMAGE_PIXELS
    assert not [warning for warning in recwarn if "bomb" in str(warning.message)]


def test_own_limit():
    with pytest.raises(ImageError, match="raise max_pixels"):
        read_image(solid("L", 0, (40, 40)), max_pixels=1000)


def test_find_images(tmp_path):
    for name in ("b.png", "a.JPG", "notes.txt", "odd[1].png"):
        (tmp_path / name).write_bytes(b"x")
    assert [path.name for path in find_images(tmp_path)] == ["a.JPG", "b.png", "odd[1].png"]
    assert [path.name for path in find_images(tmp_path / "*.png")] == ["b.png", "odd[1].png"]
    assert find_images(tmp_path / "odd[1].png") == [tmp_path / "odd[1].png"]
    assert find_images("missing.png")[0].name == "missing.png"
    (tmp_path / "void").mkdir()
    with pytest.raises(ImageError, match="holds no image"):
        find_images(tmp_path / "void")
    with pytest.raises(ImageError, match="no file matches"):
        find_images(tmp_path / "*.webp")
    (tmp_path / "void" / "deep").mkdir()
    (tmp_path / "void" / "deep" / "c.png").write_bytes(b"x")
    with pytest.raises(ImageError, match=r"its subfolders do, such as .*c\.png: give '.*void/\*\*/\*'"):
        find_images(tmp_path / "void")
    assert [path.name for path in find_images(tmp_path / "**" / "*")] == ["a.JPG", "b.png", "odd[1].png", "c.png"]
    assert [path.name for path in find_images(tmp_path / "*.txt")] == ["notes.txt"]  # asked for by its ending
