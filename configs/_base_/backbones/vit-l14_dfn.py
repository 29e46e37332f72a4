clip = dict(model='ViT-L-14-quickgelu', pretrained='dfn2b')
