# dino.txt on DINOv2: both files of github.com/facebookresearch/dinov2 in checkpoints/; timm brings the DINO.
dinotxt = [
    'checkpoints/dinov2_vitl14_reg4_dinotxt_tet1280d20h24l_vision_head.pth',
    'checkpoints/dinov2_vitl14_reg4_dinotxt_tet1280d20h24l_text_encoder.pth',
]
dino = 'vit_large_patch14_reg4_dinov2'
