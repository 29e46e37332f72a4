# ovd-scenes, synonyms: fixed scenes of 96 x 96 pixels, shipped as pictures.
_base_ = './scenes_seg.py'
vocabulary = 'scenes-synonyms-53'
test_dataloader = dict(dataset=dict(fixed='synonyms', num_scenes=1000, vocabulary=vocabulary))
val_dataloader = test_dataloader
