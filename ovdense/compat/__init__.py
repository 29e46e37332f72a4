"""The one place that knows about missing binaries. ``install()`` runs when ``ovdense`` is imported."""


def install() -> None:
    """Repair what the installed binaries lack; does nothing where they are complete."""


__all__ = ["install"]
