clip = dict(model='convnext_large_d_320', pretrained='laion2b_s29b_b131k_ft_soup')
