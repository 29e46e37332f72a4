clip = dict(model='RN50x4', pretrained='openai')
