clip = dict(model='RN50', pretrained='openai')
