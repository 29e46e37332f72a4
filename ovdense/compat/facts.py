"""What ``install()`` found out, in a form that programs and people can read."""

from __future__ import annotations

from dataclasses import asdict, dataclass

NATIVE, EMULATED, MISSING = "native", "emulated", "missing"


@dataclass(frozen=True)
class OperatorFact:
    """One operator (or group of operators) of one library.

    Args:
        library: ``torchvision`` or ``mmcv``.
        operator: name of the operator, or ``*`` for all that are not listed.
        state: ``native`` (the library's own binary), ``emulated`` (plain torch, from this package) or ``missing``.
        remedy: what to do to get the native operator; empty where it is native.
    """

    library: str
    operator: str
    state: str
    remedy: str = ""

    def to_dict(self) -> dict[str, str]:
        return asdict(self)
