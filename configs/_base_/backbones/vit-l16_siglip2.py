clip = dict(model='ViT-L-16-SigLIP2-256', pretrained='webli')
