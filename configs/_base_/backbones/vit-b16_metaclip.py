clip = dict(model='ViT-B-16-quickgelu', pretrained='metaclip_fullcc')
