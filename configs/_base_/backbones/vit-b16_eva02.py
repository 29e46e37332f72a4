clip = dict(model='EVA02-B-16', pretrained='merged2b_s8b_b131k')
