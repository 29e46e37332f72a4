# CLIP-DINOiser's training (arXiv 2312.12359): 1,000 pictures of a folder, no labels, about 3 hours on a GPU of 24 GB.
# Pictures elsewhere: --cfg-options train_dataloader.dataset.data_root=DIR
_base_ = [
    '../_base_/models/clip_dinoiser.py',
    '../_base_/models/clip_dinoiser_teachers.py',
    '../_base_/backbones/vit-b16_laion2b.py',
    '../_base_/datasets/image_folder_train.py',
    '../_base_/schedules/clip_dinoiser_6k.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    data_preprocessor=dict(size=(448, 448)),
    backbone=_base_.clip,
    text_encoder=_base_.clip,
    decode_head=dict(
        correspondence_teacher=_base_.correspondence_teacher, objectness_teacher=_base_.objectness_teacher))
train_cfg = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=6300)
val_cfg = None
test_cfg = None
default_hooks = dict(checkpoint=dict(interval=500, max_keep_ckpts=2))
randomness = dict(seed=0)
