"""Holds the import rules of the house: who may import whom, and who alone may touch a library."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "ovdense"

# A room may import the rooms named beside it, itself, and the neutral modules.
NEUTRAL = {"registry", "version", "compat"}
FOUNDATION = {"structures", "functional", "models"}
MIDDLE = {"datasets", "evaluation", "engine", "visualization", "export"}
ALLOWED = {
    "compat": set(),
    "structures": set(),
    "functional": {"structures"},
    "models": {"structures", "functional"},
    **{room: FOUNDATION | MIDDLE for room in MIDDLE},
    "apis": FOUNDATION | MIDDLE,
    "cli": FOUNDATION | MIDDLE | {"apis", "cli_files"},
    "cli_files": FOUNDATION | MIDDLE | {"apis"},
}
PURE = {"structures", "functional"}
PURE_LIBRARIES = {"torch", "numpy", "ovdense"}
TOWERS = {"open_clip", "timm"}
TOWER_ROOMS = ("models/backbones", "models/text_encoders")


def imports_of(path: Path) -> list[str]:
    """Dotted names that a file imports, relative imports resolved."""
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                base = path.relative_to(ROOT).with_suffix("").parts[: -node.level]
                names.append(".".join((*base, node.module or "")).rstrip("."))
            else:
                names.append(node.module)
                if node.module == "ovdense":
                    names += [f"ovdense.{alias.name}" for alias in node.names]
    return names


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_room_imports_only_what_it_may(path):
    room = room_of(path)
    if room in ("__init__", *NEUTRAL - {"compat"}):
        return
    allowed = ALLOWED[room] | {room} | (set() if room in PURE | {"compat"} else NEUTRAL)
    for name in imports_of(path):
        parts = name.split(".")
        if parts[0] == "ovdense" and len(parts) > 1:
            assert parts[1] in allowed | {"__version__"}, f"{path.name} in '{room}' imports {name}"


@pytest.mark.parametrize(
    "path", [path for path in FILES if room_of(path) in PURE], ids=lambda path: str(path.relative_to(ROOT))
)
def test_pure_rooms_import_torch_and_the_standard_library_only(path):
    import sys

    for name in imports_of(path):
        library = name.split(".")[0]
        assert library in PURE_LIBRARIES or library in sys.stdlib_module_names, f"{path.name} imports {name}"


# fmt: off
FILE_LIBRARIES = {
    "codecs", "fileinput", "ftplib", "glob", "gzip", "http", "importlib", "io", "mmap", "os", "pathlib", "pickle",
    "pkgutil", "shelve", "shutil", "socket", "sqlite3", "ssl", "subprocess", "tarfile", "tempfile", "urllib",
    "zipfile"
}
FILE_CALLS = {
    "open", "read_text", "read_bytes", "write_text", "write_bytes", "exists", "is_file", "is_dir", "iterdir",
    "glob", "rglob", "mkdir", "unlink", "load", "save", "savez", "fromfile", "tofile", "loadtxt", "savetxt",
    "memmap", "dump", "from_file", "load_state_dict_from_url"
}
# fmt: on


@pytest.mark.parametrize(
    "path", [path for path in FILES if room_of(path) in PURE], ids=lambda path: str(path.relative_to(ROOT))
)
def test_pure_rooms_touch_no_files(path):
    assert file_access(ast.parse(path.read_text(encoding="utf-8"))) == []


def file_access(tree: ast.AST) -> list[str]:
    """Whatever in a module reads or writes files or the network: imported libraries, calls and ``__file__``."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in FILE_LIBRARIES]
        elif isinstance(node, ast.ImportFrom):
            names = [alias.name for alias in node.names]
            found += [node.module] if (node.module or "").split(".")[0] in FILE_LIBRARIES else []
            found += [name for name in names if name in FILE_CALLS | FILE_LIBRARIES]
        elif isinstance(node, ast.Name) and node.id in ("open", "__file__", "__import__"):
            found.append(node.id)
        elif isinstance(node, ast.Attribute) and node.attr in FILE_CALLS:
            found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("from pathlib import Path", ["pathlib"]),
        ("import importlib.resources as resources", ["importlib.resources"]),
        ("import os.path", ["os.path"]),
        ("from json import load", ["load"]),
        ("json.load(file)", ["json.load"]),
        ("with open(name) as file: pass", ["open"]),
        ("Path(name).read_text()", ["Path(name).read_text"]),
        ("np.load(name)", ["np.load"]),
        ("import json\njson.dumps({}, sort_keys=True)", []),
    ],
)
def test_the_check_of_file_access_sees_it(code, found):
    assert file_access(ast.parse(code)) == found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_backbones_and_text_encoders_import_open_clip_and_timm(path):
    if str(path.relative_to(PACKAGE)).startswith(TOWER_ROOMS):
        return
    assert not {name.split(".")[0] for name in imports_of(path)} & TOWERS


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_compat_touches_loaded_modules(path):
    if room_of(path) != "compat":
        assert "sys.modules" not in path.read_text(encoding="utf-8")


METHOD_FOLDERS = ("decode_heads", "mask_heads", "roi_heads")
METHOD_FILES = [path for path in FILES if path.parent.name in METHOD_FOLDERS and path.name != "__init__.py"]


@pytest.mark.parametrize("path", METHOD_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_method_files_do_not_import_each_other(path):
    shared = {
        "base",
        "shared",
        "text_classifier",
        "text_bbox_head",
        "text_roi_head",
        "clip_regions",
        "cost_aggregation",
    }
    if path.name == "prompt_guided_head.py":  # guides the heads of two methods
        shared |= {"fcclip_head", "ovseg_head", "prompt_guide"}
    for name in imports_of(path):
        parts = name.split(".")
        if parts[:2] == ["ovdense", "models"] and len(parts) == 4 and parts[2] in METHOD_FOLDERS:
            assert parts[3] in shared, f"{path.name} imports the method file {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_torch_load_reads_weights_only_and_nothing_calls_pip(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            assert given.get("weights_only") == "True", f"{path.name}:{node.lineno}"
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert node.value != "pip", f"{path.name}:{node.lineno} names pip as a program"


def test_the_checks_have_something_to_check():
    assert len(FILES) > 30
    assert {room_of(path) for path in FILES} >= {"compat", "structures", "functional", "models", "apis"}
