clip = dict(model='ViT-L-14-336-quickgelu', pretrained='checkpoints/fg-clip_vit-l14-336.safetensors')
