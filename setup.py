"""Set-up of ovdense. Nothing is compiled; see README.md for the two commands that a newcomer needs."""

import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
VERSION = {}
exec((ROOT / "ovdense" / "version.py").read_text(encoding="utf-8"), VERSION)

RUNTIME = [
    "torch>=2.4",
    "torchvision>=0.19",
    "open_clip_torch>=3.3,<4",
    "timm>=1.0.17",
    "onedl-mmengine>=0.10.12,<0.11",
    "onedl-mmcv>=2.3.6,<2.4",
    "onedl-mmdetection>=3.5.1,<3.6",
    "onedl-mmsegmentation>=1.4.2,<1.5",
    "opencv-python>=4.10",
    "numpy>=2",
    "pillow>=11",
    "scipy>=1.11",
    "scikit-image>=0.24",
    "safetensors>=0.4.3",
    "pycocotools>=2.0.8",
    "rich>=13",
]
EXTRAS = {
    "demo": ["gradio>=6", "supervision>=0.27", "trackers>=2"],
    "export": ["onnx>=1.17", "onnxscript>=0.5", "onnxruntime>=1.20"],
    "sam": ["segment-anything>=1.0"],
    "eval": ["faster-coco-eval>=1.6"],
    "dev": ["pytest>=8", "pytest-xdist>=3.6", "ruff>=0.12", "pre-commit>=3"],
}


class BuildWithConfigs(build_py):
    """Carries configs/ and tools/ into the wheel as ``ovdense/.mim``, where the mm tools look for them."""

    def run(self):
        super().run()
        if self.editable_mode:
            return
        for folder in ("configs", "tools"):
            shutil.copytree(ROOT / folder, Path(self.build_lib) / "ovdense" / ".mim" / folder, dirs_exist_ok=True)


setup(
    name="ovdense",
    version=VERSION["__version__"],
    description="Open-vocabulary dense prediction: an image and free-text class names in, masks and boxes out",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=["ovdense", "ovdense.*"]),
    include_package_data=True,
    package_data={"ovdense": ["assets/**/*"]},
    install_requires=RUNTIME,
    extras_require=EXTRAS,
    cmdclass={"build_py": BuildWithConfigs},
    entry_points={"console_scripts": ["ovdense=ovdense.cli:main"]},
    classifiers=[
        "License :: OSI Approved :: Apache Software License",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Topic :: Scientific/Engineering :: Image Recognition",
    ],
)
