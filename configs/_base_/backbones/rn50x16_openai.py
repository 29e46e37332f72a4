clip = dict(model='RN50x16', pretrained='openai')
