"""A progress bar that stays away from short work."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_bar(
    total: int, label: str, *, enabled: bool = True, delay: float = 1.0
) -> Iterator[Callable[[int], None]]:
    """Gives ``advance(count)``; the bar appears on stderr once the work has taken ``delay`` seconds."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    begin = time.monotonic()
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task(label, total=total)

    def advance(count: int) -> None:
        bar.advance(task, count)
        if enabled and not bar.live.is_started and time.monotonic() - begin > delay:
            bar.start()

    try:
        yield advance
    finally:
        bar.stop()
