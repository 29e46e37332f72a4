# A DINO from timm, and the mapping of github.com/lorebianchi98/Talk2DINO (weights/) in checkpoints/.
dino = dict(model='vit_base_patch16_dinov3', pretrained=True, input_size=448)
mapping = dict(image_dim=768, pretrained='checkpoints/dinov3_vitb_mlp_infonce.pth')
