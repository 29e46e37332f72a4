from ovdense.models.decode_heads.resclip_head import ResCLIPHead
from ovdense.models.decode_heads.talk2dino_head import Talk2DINOHead
from ovdense.models.decode_heads.thing_stuff_head import ThingStuffHead

__all__ = ["LinearProbeHead", "MaskCLIPHead", "PixelTextHead", "ResCLIPHead", "Talk2DINOHead", "ThingStuffHead"]
