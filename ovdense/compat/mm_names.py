"""Names and messages of the maintained mm forks, which keep the import names but changed the distribution names."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import sys

NOISE = ("Could not import OneDL",)


def install() -> None:
    """Make ``pkg::`` configs resolve by module, keep mmengine from calling pip, silence known noise."""
    resolve_by_module()
    forbid_pip()
    silence_noise()


def resolve_by_module() -> None:
    """Let ``_base_ = 'mmseg::...'`` find a module whose distribution is not named as mmengine expects."""
    from mmengine.config.utils import MODULE2PACKAGE

    for module, distribution in MODULE2PACKAGE.items():
        if module != distribution and not _is_distribution(distribution) and importlib.util.find_spec(module):
            MODULE2PACKAGE[module] = module


def _is_distribution(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def forbid_pip() -> None:
    """mmengine.hub installs what is missing by itself; here it says what is missing instead."""
    import mmengine.utils
    from mmengine.utils import package_utils

    def require_package(package: str) -> None:
        if not package_utils.is_installed(package):
            raise ModuleNotFoundError(f"the config needs a package that is not installed: pip install {package}")

    mmengine.utils.install_package = package_utils.install_package = require_package
    if "mmengine.hub.hub" in sys.modules:
        sys.modules["mmengine.hub.hub"].install_package = require_package


def silence_noise() -> None:
    """Drop the lines that mmdet prints for an optional product nobody asked for; everything else is printed."""
    import mmengine.logging as mm_logging

    print_log = mm_logging.print_log
    if getattr(print_log, "_ovdense", False):
        return

    @functools.wraps(print_log)
    def filtered(msg, logger=None, *args, **kwargs):
        if logger is None and str(msg).startswith(NOISE):
            return None
        return print_log(msg, logger, *args, **kwargs)

    filtered._ovdense = True
    mm_logging.print_log = filtered
