clip = dict(model='RN50x64', pretrained='openai')
