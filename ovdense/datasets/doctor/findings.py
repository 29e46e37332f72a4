"""What an examination of a data set found, and how it is said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

LEVELS = ("error", "warning", "note")
EXAMPLES = 5


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong or worth knowing.

    Args:
        level: ``error`` (figures or runs would be wrong), ``warning`` (unusual, look at it) or ``note``.
        part: part of the data set (``val``), empty for the whole.
        check: short name of the check: ``count``, ``pairs``, ``label_shift``, ...
        what: what is wrong, with numbers.
        remedy: how to mend it.
        examples: files or ids.
    """

    level: str
    part: str
    check: str
    what: str
    remedy: str = ""
    examples: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = f"{self.level}: {self.part + ': ' if self.part else ''}{self.what}"
        if self.examples:
            text += f" ({', '.join(self.examples)})"
        return f"{text}\n    -> {self.remedy}" if self.remedy else text


@dataclass
class Report:
    """All findings of a data set, and what was counted on the way (``facts``: part -> name -> value)."""

    dataset: str
    path: str
    title: str = ""
    findings: list[Finding] = field(default_factory=list)
    facts: dict[str, dict] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """No errors."""
        return not self.of("error")

    def of(self, level: str) -> list[Finding]:
        return [finding for finding in self.findings if finding.level == level]

    def to_dict(self) -> dict:
        """Plain values for a json file."""
        counts = {level: len(self.of(level)) for level in LEVELS}
        return dict(
            dataset=self.dataset,
            path=self.path,
            ok=self.ok,
            counts=counts,
            findings=[asdict(finding) for finding in self.findings],
            facts=self.facts,
        )


class Notebook:
    """Collects findings of one part."""

    def __init__(self, report: Report, part: str = "") -> None:
        self.report, self.part = report, part
        self.facts = report.facts.setdefault(part, {}) if part else {}

    def add(self, level: str, check: str, what: str, remedy: str = "", examples: Iterable = ()) -> None:
        shown = tuple(str(example) for example in list(examples)[:EXAMPLES])
        self.report.findings.append(Finding(level, self.part, check, what, remedy, shown))

    def error(self, check: str, what: str, remedy: str = "", examples: Iterable = ()) -> None:
        self.add("error", check, what, remedy, examples)

    def warning(self, check: str, what: str, remedy: str = "", examples: Iterable = ()) -> None:
        self.add("warning", check, what, remedy, examples)

    def note(self, check: str, what: str, remedy: str = "", examples: Iterable = ()) -> None:
        self.add("note", check, what, remedy, examples)
