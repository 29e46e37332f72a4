# The embedded tiny CLIP for drawn scenes of 96 pixels.
clip = dict(model='scenes', pretrained=None)
