# A DINO from timm, and the mapping of github.com/lorebianchi98/Talk2DINO (weights/) in checkpoints/.
dino = dict(model='vit_large_patch14_reg4_dinov2', pretrained=True, input_size=518)
mapping = dict(image_dim=1024, pretrained='checkpoints/vitl_mlp_infonce.pth')
