clip = dict(model='ViT-B-16', pretrained='laion2b_s34b_b88k')
