"""Text towers: vocabulary in, unit class embeddings out."""

from ovdense.models.text_encoders.cache import PhraseCache, default_cache_dir
from ovdense.models.text_encoders.clip_text import CLIPTextEncoder
from ovdense.models.text_encoders.dinotxt_text import DINOTxtTextEncoder
from ovdense.models.text_encoders.distiller import TextDistiller
from ovdense.models.text_encoders.embedding_files import load_class_embeddings
from ovdense.models.text_encoders.lite_text import LiteText
from ovdense.models.text_encoders.minilm import MiniLM, load_minilm
from ovdense.models.text_encoders.text_tower import SentenceTextTower, load_text_tower
from ovdense.models.text_encoders.tuned_text import TunedTextEncoder

__all__ = [
    "CLIPTextEncoder",
    "DINOTxtTextEncoder",
    "LiteText",
    "MiniLM",
    "PhraseCache",
    "SentenceTextTower",
    "TextDistiller",
    "TunedTextEncoder",
    "default_cache_dir",
    "load_class_embeddings",
    "load_minilm",
    "load_text_tower",
]
