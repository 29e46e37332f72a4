clip = dict(model='ViT-B-16-quickgelu', pretrained='checkpoints/long-clip_vit-b16.safetensors')
