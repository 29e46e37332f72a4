clip = dict(model='ViT-B-16-quickgelu', pretrained='checkpoints/goal_vit-b16.safetensors')
