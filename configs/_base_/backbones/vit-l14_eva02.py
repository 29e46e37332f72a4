clip = dict(model='EVA02-L-14', pretrained='merged2b_s4b_b131k')
