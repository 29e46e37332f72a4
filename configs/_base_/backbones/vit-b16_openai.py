clip = dict(model='ViT-B-16', pretrained='openai')
