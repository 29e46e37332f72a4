# dino.txt on DINOv3: the file of github.com/facebookresearch/dinov3 in checkpoints/; timm brings the DINO.
dinotxt = 'checkpoints/dinov3_vitl16_dinotxt_vision_head_and_text_encoder-a442d8f5.pth'
dino = 'vit_large_patch16_dinov3'
