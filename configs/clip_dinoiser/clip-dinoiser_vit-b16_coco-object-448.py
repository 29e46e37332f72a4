# CLIP-DINOiser on COCO-Object, background by objectness.
# Give its weights to tools/test.py: of a training, or the official last.pt through tools/model_converters/import_heads.py.
_base_ = ['./_base_/clip-dinoiser_vit-b16.py', '../_base_/protocols/tcl_coco-object.py']
model = dict(
    decode_head=dict(apply_found=True),
    vocabulary=_base_.protocol.vocabulary,
    test_cfg=_base_.protocol.test_cfg)
