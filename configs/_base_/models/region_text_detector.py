# Proposals + pooled dense features + text similarity. The backbone's mean and std fill the data preprocessor.
model = dict(
    _scope_='ovdense',  # so that DetInferencer, which starts in the scope mmdet, finds the model
    type='OpenVocabDetector',
    data_preprocessor=dict(type='mmdet.DetDataPreprocessor', bgr_to_rgb=True, pad_mask=True, pad_size_divisor=1),
    backbone=dict(type='CLIPBackbone', model='scenes', pretrained=None),
    text_encoder=dict(type='CLIPTextEncoder', model='scenes', pretrained=None),
    proposals=dict(type='TinyProposalNet', pretrained='scenes_proposals'),
    roi_head=dict(type='RegionTextHead'),
    test_cfg=dict(score_thr=0.05, nms=dict(type='nms', iou_threshold=0.5), max_per_img=100))
