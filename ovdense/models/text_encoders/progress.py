"""A progress bar that stays away from short work."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def progress_bar(
    total: int, label: str, *, enabled: bool = True, delay: float = 1.0
) -> Iterator[Callable[[int], None]]:
    """Gives ``advance(count)``; a bar appears on terminals and in notebooks after ``delay`` seconds of work."""
    from rich.console import Console
    from rich.errors import LiveError
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    begin = time.monotonic()
    console = Console(stderr=True)
    enabled = enabled and (console.is_terminal or console.is_jupyter)
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, transient=True)
    task = bar.add_task(label, total=total)

    def advance(count: int) -> None:
        bar.advance(task, count)
        if enabled and not bar.live.is_started and time.monotonic() - begin > delay:
            with suppress(LiveError):  # another display has the terminal
                bar.start()

    try:
        yield advance
    finally:
        if bar.live.is_started:
            bar.stop()
