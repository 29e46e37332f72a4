"""Trains a model of a config: segmentors and detectors alike.

python tools/train.py CONFIG [--work-dir DIR] [--amp] [--resume [CHECKPOINT]] [--cfg-options key=value ...]
"""

import argparse
import os
from pathlib import Path

import ovdense  # noqa: F401  (first: it repairs missing binaries before mmdet and mmseg are imported)


def parse_args(argv=None) -> argparse.Namespace:
    from mmengine.config import DictAction

    parser = argparse.ArgumentParser(description="Train a segmentor or a detector.")
    parser.add_argument("config", help="config file, or the bare name of a shipped config")
    parser.add_argument("--work-dir", help="folder of logs and checkpoints (default: work_dirs/CONFIG)")
    parser.add_argument("--amp", action="store_true", help="train in mixed precision")
    parser.add_argument(
        "--auto-scale-lr",
        action="store_true",
        help="scale the learning rate by the real batch size over auto_scale_lr.base_batch_size",
    )
    parser.add_argument(
        "--resume",
        nargs="?",
        const="auto",
        help="continue from a checkpoint, or without a value from the newest one in the work dir",
    )
    parser.add_argument("--backbone", metavar="MODEL[:PRETRAINED]", help="put another CLIP in place of the config's")
    parser.add_argument(
        "--cfg-options", nargs="+", action=DictAction, help="change settings of the config, as key.subkey=value"
    )
    parser.add_argument("--launcher", choices=["none", "pytorch", "slurm", "mpi"], default="none")
    parser.add_argument("--local_rank", "--local-rank", type=int, default=0)
    args = parser.parse_args(argv)
    os.environ.setdefault("LOCAL_RANK", str(args.local_rank))
    return args


def configure(args: argparse.Namespace):
    """The config with the command line's wishes in it."""
    from ovdense.apis import ConfigError, load_config, use_backbone

    config = load_config(args.config, args.cfg_options)
    if "train_dataloader" not in config or not config.get("train_cfg"):
        raise ConfigError(f"{args.config} describes no training (no train_dataloader or train_cfg): use tools/test.py")
    if args.backbone:
        use_backbone(config, args.backbone)
    config.launcher = args.launcher
    config.work_dir = args.work_dir or config.get("work_dir") or f"work_dirs/{Path(args.config).stem}"
    if args.amp:
        config.optim_wrapper.type = "AmpOptimWrapper"
        config.optim_wrapper.loss_scale = "dynamic"
    if args.auto_scale_lr:
        if "base_batch_size" not in config.get("auto_scale_lr", {}):
            raise ConfigError("--auto-scale-lr needs auto_scale_lr.base_batch_size in the config")
        config.auto_scale_lr.enable = True
    if args.resume:
        config.resume = True
        config.load_from = None if args.resume == "auto" else args.resume
    return config


def main(argv=None):
    args = parse_args(argv)
    from ovdense.apis import ConfigError, ImageError
    from ovdense.engine import AnyDeviceRunner

    try:
        config = configure(args)
    except (ConfigError, ImageError) as error:
        raise SystemExit(f"error: {error}") from None
    runner = AnyDeviceRunner.from_cfg(config)
    runner.train()
    return runner


if __name__ == "__main__":
    main()
