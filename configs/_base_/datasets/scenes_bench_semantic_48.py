# ovd-scenes, semantic-48: fixed scenes of 96 x 96 pixels, shipped as pictures.
_base_ = './scenes_seg.py'
vocabulary = 'scenes-48'
test_dataloader = dict(dataset=dict(fixed='base', num_scenes=1000, vocabulary=vocabulary))
val_dataloader = test_dataloader
