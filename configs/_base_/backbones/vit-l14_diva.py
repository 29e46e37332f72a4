clip = dict(model='ViT-L-14-quickgelu', pretrained='checkpoints/diva_vit-l14.safetensors')
