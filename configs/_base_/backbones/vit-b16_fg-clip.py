clip = dict(model='ViT-B-16-quickgelu', pretrained='checkpoints/fg-clip_vit-b16.safetensors')
