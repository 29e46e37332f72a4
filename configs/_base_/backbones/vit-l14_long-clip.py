clip = dict(model='ViT-L-14-quickgelu', pretrained='checkpoints/long-clip_vit-l14.safetensors')
