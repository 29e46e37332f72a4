clip = dict(model='ViT-L-14-quickgelu', pretrained='metaclip_fullcc')
