clip = dict(model='convnext_base_w_320', pretrained='laion_aesthetic_s13b_b82k_augreg')
