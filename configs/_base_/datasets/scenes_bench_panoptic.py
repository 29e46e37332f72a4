# ovd-scenes, panoptic: fixed scenes of 96 x 96 pixels, shipped as pictures.
_base_ = './scenes_panoptic.py'
vocabulary = 'scenes-143'
test_dataloader = dict(dataset=dict(fixed='full', num_scenes=1000, vocabulary=vocabulary))
val_dataloader = test_dataloader
