# CLIPSelf: a student ViT on whole pictures, its frozen twin on crops. Mean and std are the backbone's.
model = dict(_scope_='ovdense', type='CLIPSelfPretrainer', backbone=dict(type='CLIPBackbone', position='mmseg'))
