"""Pure tensor code: imports torch and ``ovdense.structures`` only; no registry, file or network access."""
