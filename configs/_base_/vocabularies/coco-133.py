# Things and stuff: a start for photographs. Change it by model.set_vocabulary, --classes, or model.vocabulary here.
vocabulary = dict(source='coco-133', templates='imagenet-80')
