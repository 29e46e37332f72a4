clip = dict(model='ViT-L-14', pretrained='laion2b_s32b_b82k')
