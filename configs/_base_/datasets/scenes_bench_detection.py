# ovd-scenes, detection and instances: fixed scenes of 96 x 96 pixels, shipped as pictures.
_base_ = './scenes_det.py'
vocabulary = 'scenes-127'
test_dataloader = dict(dataset=dict(fixed='full', num_scenes=1000, vocabulary=vocabulary))
val_dataloader = test_dataloader
val_evaluator = dict(type='GroupedCocoMetric', metric=['bbox', 'segm'], groups=('base', 'novel'))
test_evaluator = val_evaluator
