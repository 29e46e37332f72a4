"""ovdense: open-vocabulary dense prediction on CLIP backbones, with the standard mm train and test tools."""

from ovdense import compat
from ovdense.version import __version__

compat.install()

__all__ = ["__version__", "compat"]
