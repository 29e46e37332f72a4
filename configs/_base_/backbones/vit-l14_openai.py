clip = dict(model='ViT-L-14', pretrained='openai')
