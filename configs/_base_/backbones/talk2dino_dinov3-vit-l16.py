# A DINO from timm, and the mapping of github.com/lorebianchi98/Talk2DINO (weights/) in checkpoints/.
dino = dict(model='vit_large_patch16_dinov3', pretrained=True, input_size=448)
mapping = dict(image_dim=1024, pretrained='checkpoints/dinov3_vitl_mlp_infonce.pth')
