clip = dict(model='ViT-B-16-SigLIP2', pretrained='webli')
