"""The model zoo: what ``metafile.yml`` files say of published checkpoints, how to fetch them and how to convert them.

Nothing here touches the network unless ``download`` is called.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from .configs import config_root

MIRROR = "OVDENSE_MIRROR"  # "https://huggingface.co=https://mirror.example", several separated by commas
CHUNK = 1 << 20
NEEDED = ("Name", "File", "Page", "Licence", "Config", "Convert", "Test", "Result")


class ZooError(ValueError):
    """A checkpoint that is not known, cannot be fetched or cannot be converted; the message says what to do."""


@dataclass(frozen=True)
class Checkpoint:
    """One published file.

    Args:
        name: name in the zoo.
        method: the method's name, ``Collections`` of the metafile.
        paper, code: addresses of the paper and of the official code.
        file: the file's official name.
        page: where its authors publish it.
        url: address that ``download`` can read; None where the authors only offer a page for browsers.
        sha256: digest of the file; None where it is not known.
        licence: of the weights, as far as its authors state one.
        config: config under ``configs/`` that it is for.
        convert: command of our converter with ``{source}`` and ``{target}``; None where the file loads as it is.
        test: command that would repeat the result, with ``{target}``.
        result: the published figure, with its source.
    """

    name: str
    method: str
    paper: str
    code: str
    file: str
    page: str
    url: str | None
    sha256: str | None
    licence: str
    config: str
    convert: str | None
    test: str
    result: str


def read_metafile(path: Path) -> list[Checkpoint]:
    """The checkpoints of one metafile, none if it lists none.

    Raises:
        ZooError: an entry lacks something.
    """
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    entries = content.get("Checkpoints") or []
    collections = {each["Name"]: each for each in content.get("Collections") or []}
    found = []
    for entry in entries:
        missing = [key for key in NEEDED if key not in entry]
        if missing:
            raise ZooError(f"{path}: checkpoint {entry.get('Name')!r} lacks {missing}")
        collection = entry.get("In Collection", next(iter(collections), None))
        if collection not in collections:
            raise ZooError(f"{path}: checkpoint {entry['Name']!r} is of no collection of the file, got {collection!r}")
        about = collections[collection]
        values = {key: entry.get(name) for key, name in _KEYS.items()}
        found.append(Checkpoint(method=collection, paper=about["Paper"], code=about["Code"], **values))
    return found


_KEYS = dict(
    name="Name",
    file="File",
    page="Page",
    url="URL",
    sha256="SHA256",
    licence="Licence",
    config="Config",
    convert="Convert",
    test="Test",
    result="Result",
)


def zoo(root: Path | None = None) -> list[Checkpoint]:
    """Every published checkpoint that the metafiles know, by method and name."""
    folder = root or config_root()
    found = [entry for path in sorted(folder.glob("*/metafile.yml")) for entry in read_metafile(path)]
    names = [entry.name for entry in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ZooError(f"names of the zoo must differ, got twice: {twice}")
    return found


def find_checkpoint(name: str, entries: list[Checkpoint] | None = None) -> Checkpoint:
    """The checkpoint of that name, or of that file name.

    Raises:
        ZooError: none, or a file name that several share; the message lists the nearest.
    """
    entries = zoo() if entries is None else entries
    for key in ("name", "file"):
        matches = [entry for entry in entries if getattr(entry, key) == name]
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise ZooError(f"{name!r} is several checkpoints: name one of {', '.join(each.name for each in matches)}")
    near = difflib.get_close_matches(name, [entry.name for entry in entries], n=3, cutoff=0.3)
    raise ZooError(f"no checkpoint {name!r} in the zoo" + (f": did you mean {', '.join(near)}?" if near else ""))


def as_table(entries: list[Checkpoint]) -> str:
    """A line for each checkpoint: name, licence, published figure."""
    rows = [("name", "licence", "published figure"), *((each.name, each.licence, each.result) for each in entries)]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return "\n".join(f"{name:<{widths[0]}}  {licence:<{widths[1]}}  {result}" for name, licence, result in rows)


def as_json(entries: list[Checkpoint]) -> str:
    return json.dumps([asdict(each) for each in entries], indent=1, ensure_ascii=False)


def as_text(entry: Checkpoint) -> str:
    """All that is known of one checkpoint, with the commands to type."""
    source = entry.file.replace(" ", "_") if "." in entry.file else "FILE"
    target = f"checkpoints/{entry.name}.pth"
    get = f"ovdense zoo download {entry.name}" if entry.url else f"in a browser: {entry.page}"
    take = f"ovdense zoo convert {entry.name} --source {source}" if entry.convert else f"as checkpoints/{entry.file}"
    lines = dict(
        name=entry.name,
        method=f"{entry.method}, {entry.paper}",
        code=entry.code,
        file=entry.file,
        published=entry.page,
        licence=entry.licence,
        sha256=entry.sha256 or "not known",
        config=entry.config,
        figure=f"{entry.result}; not measured here",
        get=get,
        convert=take,
        test=entry.test.format(target=target),
    )
    return "\n".join(f"{key:<10} {value}" for key, value in lines.items())


def conversion(entry: Checkpoint, source: str | Path, target: str | Path) -> list[str]:
    """The converter's command line.

    Raises:
        ZooError: the file needs no converter.
    """
    if entry.convert is None:
        raise ZooError(f"{entry.name} needs no conversion: name the file as the config says ({entry.config})")
    root = config_root().parent
    words = [
        word.format(source=Path(source).resolve(), target=Path(target).resolve()) for word in shlex.split(entry.convert)
    ]
    if words[0] == "python":
        words = words[1:]
    placed = [str(root / word) if word.startswith(("tools/", "configs/")) else word for word in words]
    return [sys.executable, *placed]


def convert(entry: Checkpoint, source: str | Path, target: str | Path) -> None:
    """Runs the converter on a local file; the report it writes lies beside the target.

    Raises:
        ZooError: no such file, another file than the published one, a target in the way, or the converter refused it.
    """
    source, target = Path(source), Path(target)
    if not source.is_file():
        raise ZooError(f"no such file: {source}. {where_to_get(entry)}")
    if target.exists():
        raise ZooError(f"{target} exists: name another file with --out")
    check_digest(source, entry.sha256)
    target.parent.mkdir(parents=True, exist_ok=True)
    ended = subprocess.run(conversion(entry, source, target), check=False)
    if ended.returncode:
        raise ZooError(f"the converter of {entry.name} ended with {ended.returncode}: see what it says above")


def where_to_get(entry: Checkpoint) -> str:
    """A sentence that says where the file is published."""
    how = f"`ovdense zoo download {entry.name}` fetches it" if entry.url else "its authors offer it for browsers only"
    return f"{entry.file} is published at {entry.page} ({entry.licence}); {how}"


def check_digest(path: Path, sha256: str | None) -> None:
    """Compares a file with a digest; says nothing where none is known.

    Raises:
        ZooError: they differ.
    """
    if sha256 is None:
        return
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(CHUNK):
            digest.update(block)
    if digest.hexdigest() != sha256:
        raise ZooError(
            f"{path} is not the published file: sha256 {digest.hexdigest()} instead of {sha256}; fetch it again"
        )


def mirrored(url: str, mirrors: str | None = None) -> str:
    """The address behind a mirror: ``OVDENSE_MIRROR="https://a=https://b"`` reads from b what lies at a.

    Raises:
        ZooError: the setting is no ``FROM=TO`` of http addresses.
    """
    for pair in filter(None, (mirrors if mirrors is not None else os.environ.get(MIRROR, "")).split(",")):
        before, _, after = pair.strip().partition("=")
        if not after.startswith(("http://", "https://")) or not before.startswith(("http://", "https://")):
            raise ZooError(f"a mirror is FROM=TO, two http addresses, got {pair!r}")
        if url.startswith(before):
            return after + url[len(before) :]
    return url


def download(
    entry: Checkpoint,
    folder: str | Path,
    *,
    mirrors: str | None = None,
    timeout: float = 60,
    told: Callable[[int, int | None], None] = lambda done, total: None,
) -> Path:
    """Fetches a published file; goes on where an earlier try stopped. Proxies are those of the environment.

    Args:
        mirrors: as ``mirrored`` takes them; None reads the environment.
        told: called with the bytes that lie on the disk and their sum, None where the server does not say.

    Raises:
        ZooError: only a page for browsers is published, the server refuses, or the file differs from its digest (it is
            put aside then).
    """
    if entry.url is None:
        raise ZooError(f"{where_to_get(entry)}: fetch it there and give the file to `ovdense zoo convert`")
    path = Path(folder) / entry.file
    if path.is_file():
        check_digest(path, entry.sha256)
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    url = mirrored(entry.url, mirrors)
    try:
        _fetch(url, part, timeout, told)
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        kept = f" What came is kept in {part}; the next try goes on there." if part.is_file() else ""
        raise ZooError(
            f"cannot fetch {url}: {error}.{kept} Behind a proxy set https_proxy, for a mirror {MIRROR}"
        ) from error
    try:
        check_digest(part, entry.sha256)
    except ZooError:
        part.rename(path.with_name(path.name + ".wrong"))
        raise
    part.rename(path)
    return path


def _fetch(url: str, part: Path, timeout: float, told: Callable[[int, int | None], None]) -> None:
    """Writes what is missing of a file."""
    have = part.stat().st_size if part.is_file() else 0
    headers = {"User-Agent": "ovdense", **({"Range": f"bytes={have}-"} if have else {})}
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise ZooError(f"a checkpoint's address is http or https, got {url}")
    try:
        answer = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have == _whole_size(error.headers.get("Content-Range")):
            return  # all of it lies here already
        raise
    with answer:
        if have and answer.status != 206:  # the server cannot go on in the middle
            have = 0
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length else None
        if total is not None and shutil.disk_usage(part.parent).free < total - have:
            raise ZooError(f"the disk of {part.parent} is full: {(total - have) / 1e6:.0f} MB are missing")
        with open(part, "ab" if have else "wb") as file:
            while block := answer.read(CHUNK):
                file.write(block)
                have += len(block)
                told(have, total)
    if total is not None and have < total:
        raise ConnectionError(f"the connection ended after {have} of {total} bytes")


def _whole_size(content_range: str | None) -> int | None:
    match = re.fullmatch(r"bytes \*/(\d+)", content_range or "")
    return int(match.group(1)) if match else None
