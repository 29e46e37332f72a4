"""Tests a model of a config and prints its metrics: segmentors and detectors alike.

python tools/test.py CONFIG [CHECKPOINT | none] [--out DIR|FILE.pkl] [--show-dir DIR] [--cfg-options key=value ...]

Beside the log, WORK_DIR/results.json holds the figures, class by class too, with the protocol they were taken with, the
versions of the libraries, the commit, and digests of config and weights (ovdense/apis/score_report.py).
"""

import argparse
import os
from pathlib import Path

import ovdense  # noqa: F401  (first: it repairs missing binaries before mmdet and mmseg are imported)


def parse_args(argv=None) -> argparse.Namespace:
    from mmengine.config import DictAction

    parser = argparse.ArgumentParser(description="Test a segmentor or a detector.")
    parser.add_argument("config", help="config file, or the bare name of a shipped config")
    parser.add_argument(
        "checkpoint", nargs="?", default="none", help="checkpoint file; 'none' or nothing for training-free methods"
    )
    parser.add_argument("--work-dir", help="folder of logs and of the metrics as json (default: work_dirs/CONFIG)")
    parser.add_argument("--out", help="segmentation: folder for label PNGs; detection: .pkl file of the predictions")
    parser.add_argument("--json", metavar="FILE", help="the figures with their origin (default: WORK_DIR/results.json)")
    parser.add_argument("--show", action="store_true", help="show every prediction in a window")
    parser.add_argument("--show-dir", help="folder for painted predictions")
    parser.add_argument("--wait-time", type=float, default=2, help="seconds that --show waits for")
    parser.add_argument("--tta", action="store_true", help="augment at test time, by the config's tta_model")
    parser.add_argument(
        "--backbone",
        metavar="NAME|MODEL:PRETRAINED",
        help="put another CLIP in place of the config's: vit-b16_metaclip, vit-l14_dfn, ... (see "
        "configs/_base_/backbones), or an open_clip model with a tag or a local weights file",
    )
    parser.add_argument(
        "--cfg-options", nargs="+", action=DictAction, help="change settings of the config, as key.subkey=value"
    )
    parser.add_argument("--launcher", choices=["none", "pytorch", "slurm", "mpi"], default="none")
    parser.add_argument("--local_rank", "--local-rank", type=int, default=0)
    args = parser.parse_args(argv)
    os.environ.setdefault("LOCAL_RANK", str(args.local_rank))
    return args


# What a test does without: data and schedules of training, whose files may not be here, and a validation of its own.
UNUSED = (
    *("train_dataloader", "train_cfg", "optim_wrapper", "param_scheduler"),
    *("val_dataloader", "val_cfg", "val_evaluator"),
)


def configure(args: argparse.Namespace):
    """The config with the command line's wishes in it."""
    from ovdense.apis import ConfigError, load_config, task_of, use_backbone

    config = load_config(args.config, args.cfg_options)
    if "test_dataloader" not in config or "test_evaluator" not in config:
        raise ConfigError(f"{args.config} describes no test (no test_dataloader or test_evaluator)")
    if args.backbone:
        use_backbone(config, args.backbone)
    config.update(dict.fromkeys(UNUSED))
    config.launcher = args.launcher
    config.work_dir = args.work_dir or config.get("work_dir") or f"work_dirs/{Path(args.config).stem}"
    config.load_from = None if args.checkpoint.lower() == "none" else args.checkpoint
    config.resume = False
    if args.checkpoint.lower() != "none" and not Path(args.checkpoint).is_file() and "://" not in args.checkpoint:
        raise ConfigError(f"no such checkpoint: {args.checkpoint}")
    if args.show or args.show_dir:
        paint(config, args)
    if args.tta:
        if "tta_model" not in config or "tta_pipeline" not in config:
            raise ConfigError(f"--tta needs tta_model and tta_pipeline, which {args.config} lacks")
        config.test_dataloader.dataset.pipeline = config.tta_pipeline
        config.model = dict(**config.tta_model, module=config.model)
    if args.out and task_of(config) == "segmentation":
        config.test_evaluator.update(output_dir=args.out, keep_results=True)
    elif args.out and not args.out.endswith((".pkl", ".pickle")):
        raise ConfigError(f"--out of a detector is a .pkl file, got {args.out}")
    return config


def paint(config, args: argparse.Namespace) -> None:
    """Turns the config's visualization hook on."""
    from ovdense.apis import ConfigError

    hook = config.get("default_hooks", {}).get("visualization")
    if hook is None:
        raise ConfigError("--show and --show-dir need a visualization hook in default_hooks")
    hook.draw = True
    if args.show:
        hook.update(show=True, wait_time=args.wait_time)
    if args.show_dir and "SegVisualizationHook" in hook.type:  # mmseg's own writes where its visualizer says
        config.visualizer.save_dir = args.show_dir
    elif args.show_dir:
        hook.test_out_dir = args.show_dir


def main(argv=None):
    args = parse_args(argv)
    from ovdense.apis import ConfigError

    try:
        config = configure(args)
    except ConfigError as error:
        raise SystemExit(f"error: {error}") from None
    try:
        return test(config, args)
    except (FileNotFoundError, ConnectionError) as error:  # data or weights that are not here: the message says it all
        raise SystemExit(f"error: {error}") from error


def test(config, args: argparse.Namespace) -> dict:
    """Runs the test of a config, writes its results and returns its metrics."""
    from mmengine.dist import is_main_process

    from ovdense.apis import task_of
    from ovdense.engine import AnyDeviceRunner

    runner = AnyDeviceRunner.from_cfg(config)
    if args.out and task_of(config) == "detection":
        from mmdet.evaluation import DumpDetResults

        runner.test_evaluator.metrics.append(DumpDetResults(out_file_path=args.out))
    metrics = runner.test()
    if is_main_process():
        print(f"results: {report(runner, metrics, config, args)}")
    return metrics


def report(runner, metrics: dict, config, args: argparse.Namespace) -> Path:
    """Writes the figures with their origin; says the protocol where the config's hooks did not."""
    from ovdense.apis import task_of
    from ovdense.apis.score_report import score_report, write_score_report
    from ovdense.engine import ProtocolHook

    hooks = [hook for hook in runner.hooks if isinstance(hook, ProtocolHook)]
    protocol = (hooks or [ProtocolHook()])[0].protocol(runner, runner.test_loop)
    if not hooks:
        runner.logger.info(f"protocol: {protocol.line}")
    content = score_report(
        metrics,
        config=config,
        name=args.config,
        task=task_of(config),
        protocol=protocol,
        line=protocol.line,
        evaluators=runner.test_evaluator.metrics,
        checkpoint=config.load_from,
    )
    return write_score_report(args.json or Path(config.work_dir) / "results.json", content)


if __name__ == "__main__":
    main()
