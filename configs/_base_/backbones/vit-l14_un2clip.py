clip = dict(model='ViT-L-14-quickgelu', pretrained='checkpoints/un2clip_vit-l14.safetensors')
