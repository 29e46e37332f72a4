"""A small real model for the tests of the Python API and the command line: the embedded ``scenes`` CLIP."""

import pytest

SCENES_CONFIG = """
default_scope = "ovdense"
model = dict(
    type="OpenVocabSegmentor",
    backbone=dict(type="CLIPBackbone", model="scenes"),
    text_encoder=dict(type="CLIPTextEncoder", model="scenes"),
    decode_head=dict(type="PixelTextHead"),
)
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=(96, 96), keep_ratio=True),
    dict(type="mmseg.PackSegInputs"),
]
"""


@pytest.fixture(scope="session")
def scenes_config(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "scenes_config.py"
    path.write_text(SCENES_CONFIG)
    return path
