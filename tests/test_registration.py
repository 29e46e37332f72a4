"""Whatever is decorated for a registry is registered by ``import ovdense``."""

import ast
from pathlib import Path

from mmengine import registry as mmengine_registry

import ovdense
import ovdense.engine
from ovdense import registry

ROOT = Path(ovdense.__file__).parent


def decorated() -> list[tuple[str, str, str]]:
    """(registry, name, file) of every class and function under ``@REGISTRY.register_module``."""
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for decorator in getattr(node, "decorator_list", ()):
                call = decorator if isinstance(decorator, ast.Call) else None
                if call is None or getattr(call.func, "attr", "") != "register_module":
                    continue
                given = [ast.literal_eval(keyword.value) for keyword in call.keywords if keyword.arg == "name"]
                names = given[0] if given else node.name
                for name in [names] if isinstance(names, str) else names:
                    found.append((call.func.value.id, name, path.relative_to(ROOT).as_posix()))
    return found


def registry_of(name: str):
    ours = getattr(registry, name, None)  # an empty registry is false
    return getattr(mmengine_registry, name) if ours is None else ours


def test_import_registers_everything():
    modules = decorated()
    assert len(modules) > 50
    missing = [item for item in modules if registry_of(item[0]).get(item[1]) is None]
    assert missing == []
