# Training scenes of 48 pixels with one or two objects, and the words that are true of them; nothing says where.
train_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='ScenesCaptionDataset',
        bank='scenes-captions-600',
        generator=dict(
            size=48,
            zoom=1,
            num_objects=(1, 2),
            object_size=(22, 46),
            compositions=dict(share=0.1, group='seen'))))
