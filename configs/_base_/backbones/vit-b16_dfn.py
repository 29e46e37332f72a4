clip = dict(model='ViT-B-16-quickgelu', pretrained='dfn2b')
