# BARON (arXiv 2302.13996) with CLIP as its teacher, OV-COCO among 80 names. Classes are read as they leave the last
# block: the rows are those of ovdet, coco_clip_hand_craft_attn12.npy.
_base_ = [
    '../_base_/models/text_faster_rcnn_r50.py',
    '../_base_/datasets/ov_coco_80.py',
    '../_base_/schedules/sgd_90k.py',
    '../_base_/default_runtime_det.py',
]
clip = dict(model='ViT-B-32', pretrained='openai')
reg = [
    dict(type='mmdet.Linear', in_features=1024, out_features=1024),
    dict(type='ReLU', inplace=True),
    dict(type='mmdet.Linear', in_features=1024, out_features=4),
]
model = dict(
    type='BARONDetector',
    vocabulary='coco-80',
    text_encoder=None,
    class_embeddings='data/metadata/coco_clip_hand_craft_attn12.npy',
    backbone=dict(init_cfg=None),  # SoCo's weights come by load_from
    teacher=dict(type='CLIPBackbone', **clip),
    bags=dict(bag_scale=30.0, single_scale=50.0, single_weight=0.1),
    rpn_head=dict(type='ovdense.DetachedRPNHead', anchor_generator=dict(scale_major=False)),
    roi_head=dict(
        bbox_head=dict(
            reg_predictor_cfg=reg,
            classifier=dict(
                _delete_=True, type='ovdense.PseudoWordClassifier', text=clip, num_words=6, output='last_block',
                logit_scale=50.0, background='learned', trained_group='base'))))
train_dataloader = dict(batch_size=4)
optim_wrapper = dict(type='AmpOptimWrapper', optimizer=dict(lr=0.04, weight_decay=0.000025))
load_from = 'checkpoints/res50_fpn_soco_star_400.pth'
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=10000))
log_processor = dict(by_epoch=False)
