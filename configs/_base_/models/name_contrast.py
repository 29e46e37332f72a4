# The tiny CLIP: open_clip's VisionTransformer against the frozen text tower of the embedded `scenes`.
model = dict(
    _scope_='ovdense',
    type='NameContrastPretrainer',
    data_preprocessor=dict(
        type='ImgDataPreprocessor',
        mean=[122.771, 116.746, 104.094],
        std=[68.501, 66.632, 70.323]),
    vision=dict(
        image_size=48, patch_size=8, width=128, layers=5, heads=4, mlp_ratio=4.0, output_dim=384),
    text_encoder=dict(type='CLIPTextEncoder', model='scenes'),
    vocabulary='scenes-captions-600')
