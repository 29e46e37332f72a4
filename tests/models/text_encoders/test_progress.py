import io

import pytest
import rich.console

from ovdense.models.text_encoders.progress import progress_bar


def shown(monkeypatch, *, terminal, delay, enabled=True):
    """What a bar over two steps writes."""
    stream, real = io.StringIO(), rich.console.Console
    monkeypatch.setattr(rich.console, "Console", lambda **options: real(file=stream, force_terminal=terminal))
    with progress_bar(2, "encoding text", delay=delay, enabled=enabled) as advance:
        advance(1)
        advance(1)
    return stream.getvalue()


def test_long_work_on_a_terminal_shows_a_bar(monkeypatch):
    assert "encoding text" in shown(monkeypatch, terminal=True, delay=-1.0)


@pytest.mark.parametrize("options", [dict(terminal=True, delay=60.0), dict(terminal=False, delay=-1.0)])
def test_short_work_and_logs_stay_clean(monkeypatch, options):
    assert shown(monkeypatch, **options) == ""


def test_a_bar_can_be_turned_off(monkeypatch):
    assert shown(monkeypatch, terminal=True, delay=-1.0, enabled=False) == ""
