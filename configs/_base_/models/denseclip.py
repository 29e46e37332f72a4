# DenseCLIP on a CLIP ResNet: score maps beside the last stage, Semantic FPN. A config adds the CLIP and the sizes.
model = dict(
    _scope_='ovdense',  # so that MMSegInferencer, which starts in the scope mmseg, finds the model
    type='DenseCLIPSegmentor',
    data_preprocessor=dict(
        type='mmseg.SegDataPreProcessor', bgr_to_rgb=True, pad_val=0, seg_pad_val=255, size=(512, 512),
        mean=[122.7709, 116.746, 104.0937], std=[68.5005, 66.6322, 70.3232]),
    backbone=dict(
        type='CLIPBackbone', attention='vanilla', position='bilinear', table_side=16, capture=('dense_cls',),
        frozen=False),
    text=dict(name_length=5, num_words=8, frozen=True),
    context_decoder=dict(width=256, heads=4, layers=3, dropout=0.1),
    score_index=3,
    score_loss_weight=0.4,
    neck=dict(type='mmseg.FPN', in_channels=[256, 512, 1024, 2048 + 150], out_channels=256, num_outs=4),
    decode_head=dict(
        type='mmseg.FPNHead', in_channels=[256, 256, 256, 256], in_index=[0, 1, 2, 3], feature_strides=[4, 8, 16, 32],
        channels=256, dropout_ratio=0.1, num_classes=150, align_corners=False,
        norm_cfg=dict(type='SyncBN', requires_grad=True), loss_decode=dict(type='mmseg.CrossEntropyLoss')),
    test_cfg=dict(mode='slide', crop_size=(512, 512), stride=(341, 341)))
