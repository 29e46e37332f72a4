# ovd-scenes, synonyms-by-name: the pictures of the synonyms, asked for by the names that were trained.
_base_ = './scenes_bench_synonyms.py'
vocabulary = 'scenes-53'
test_dataloader = dict(dataset=dict(vocabulary=vocabulary))
val_dataloader = test_dataloader
