"""One prediction by a peer, its seconds and peak memory as a line of JSON (see bench_peers.py).

python scripts/peer_predict.py monai SCAN THREADS
python scripts/peer_predict.py nnunet SCAN THREADS PATCHES plain|mirrored
"""

import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

SPACING_MM = 1.5
OUTPUTS = 27
PATCH = (128, 128, 128)
WINDOW = (64, 64, 64)
Seconds = dict[str, list[float]]


@contextmanager
def timed(stage: str, seconds: Seconds) -> Iterator[None]:
    """Wall and CPU seconds of a stage."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    seconds[stage] = [time.perf_counter() - wall, time.process_time() - cpu]


def monai_prediction(scan: Path) -> dict[str, Any]:
    """MONAI's transforms and sliding window around vertseg's examine network."""
    from monai.data import MetaTensor
    from monai.inferers import SlidingWindowInferer
    from monai.transforms import Compose, LoadImaged, Orientationd, SaveImage, ScaleIntensityRanged, Spacingd
    from monai.transforms.utils import convert_applied_interp_mode

    from vertseg.nets.checkpoint import load_checkpoint
    from vertseg.nets.meta import default_checkpoint

    net, _ = load_checkpoint(default_checkpoint("examine"))
    net.eval()

    def tissue(window: torch.Tensor) -> torch.Tensor:
        marker = torch.zeros_like(window)
        plan = torch.full((len(window), 3), float("nan"))
        logits: torch.Tensor = net(torch.cat([window, marker], 1), plan)["tissue"]
        return logits

    seconds: Seconds = {}
    transforms = Compose(
        [
            LoadImaged("image", ensure_channel_first=True),
            Orientationd("image", "RAS", labels=None),
            Spacingd("image", (SPACING_MM,) * 3, mode="bilinear"),
            ScaleIntensityRanged("image", -1000, 2000, -1, 2, clip=True),
        ]
    )
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        with timed("read_resample", seconds):
            data = transforms({"image": str(scan)})
        with timed("network", seconds):
            inferer = SlidingWindowInferer(WINDOW, sw_batch_size=1, overlap=0.25, mode="gaussian")
            logits = inferer(data["image"][None], tissue)[0]
            labels = MetaTensor(logits.argmax(0, keepdim=True).float(), meta=data["image"].meta)
            done = data["image"].applied_operations
            labels.applied_operations = convert_applied_interp_mode(done, mode="nearest", align_corners=False)
        with timed("back_write", seconds):
            for transform in reversed(transforms.transforms[1:3]):
                labels = transform.inverse({"image": labels})["image"]
            SaveImage(folder, output_dtype=np.uint8, print_log=False)(labels)
    shape = data["image"].shape[1:]
    return {"stages": seconds, "shape_at_1.5_mm": list(shape), "network": "vertseg examine, its own weights"}


def nnunet_prediction(scan: Path, patches: int, mirrored: bool) -> dict[str, Any]:
    """nnU-Net's predictor, its patches one by one."""
    from nnunetv2.imageio.nibabel_reader_writer import NibabelIOWithReorient
    from nnunetv2.inference.export_prediction import export_prediction_from_logits
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    seconds: Seconds = {}
    plans = PlansManager(nnunet_plans())
    configuration = plans.get_configuration("3d_fullres")
    labels = {"background": 0, **{f"label {i}": i for i in range(1, OUTPUTS)}}
    dataset = {"channel_names": {"0": "CT"}, "labels": labels, "numTraining": 1, "file_ending": ".nii.gz"}
    network = get_network_from_plans(
        configuration.network_arch_class_name, configuration.network_arch_init_kwargs,
        configuration.network_arch_init_kwargs_req_import, 1, OUTPUTS, deep_supervision=False,
    ).eval()  # fmt: skip
    predictor = nnUNetPredictor(
        tile_step_size=0.5, use_gaussian=True, use_mirroring=mirrored, perform_everything_on_device=False,
        device=torch.device("cpu"), verbose=False, allow_tqdm=False,
    )  # fmt: skip
    axes = (0, 1, 2) if mirrored else None
    predictor.manual_initialization(network, plans, configuration, None, dataset, "nnUNetTrainer", axes)
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        with timed("read", seconds):
            image, properties = NibabelIOWithReorient().read_images([str(scan)])
        with timed("resample", seconds):
            preprocessor = configuration.preprocessor_class(verbose=False)
            data, _, properties = preprocessor.run_case_npy(
                image, None, properties, plans, configuration, dataset
            )
        tensor = torch.from_numpy(np.asarray(data))
        missing = [max(0, p - n) for p, n in zip(PATCH, tensor.shape[1:], strict=True)]
        padding = [p for m in reversed(missing) for p in (m // 2, m - m // 2)]
        padded = torch.nn.functional.pad(tensor, padding)
        slicers = predictor._internal_get_sliding_window_slicers(padded.shape[1:])
        ran = slicers if patches == 0 else slicers[:patches]
        with timed("patches_run", seconds):
            for slicer in ran:
                predictor._internal_maybe_mirror_and_predict(padded[slicer][None])
        share = len(slicers) / len(ran)
        seconds["network"] = [s * share for s in seconds.pop("patches_run")]
        logits = torch.randn((OUTPUTS, *tensor.shape[1:]))
        with timed("export", seconds):
            export_prediction_from_logits(
                logits, properties, configuration, plans, dataset, str(Path(folder) / "out"), False
            )
    return {
        "stages": seconds, "patches": len(slicers), "patches_run": len(ran), "mirrored": mirrored,
        "scaled_from_patches": len(ran) < len(slicers), "shape_at_1.5_mm": list(tensor.shape[1:]),
        "network": "nnU-Net's default 3d_fullres, random weights; one of the five models of TotalSegmentator's total",
    }  # fmt: skip


def nnunet_plans() -> dict[str, Any]:
    """Plans as nnU-Net's default planner writes them for CT at 1.5 mm with patches of 128^3."""
    stages = 6
    down = [[1, 1, 1], *[[2, 2, 2]] * (stages - 1)]
    architecture = {
        "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
        "arch_kwargs": {
            "n_stages": stages, "features_per_stage": [32, 64, 128, 256, 320, 320],
            "conv_op": "torch.nn.modules.conv.Conv3d", "kernel_sizes": [[3, 3, 3]] * stages, "strides": down,
            "n_conv_per_stage": [2] * stages, "n_conv_per_stage_decoder": [2] * (stages - 1), "conv_bias": True,
            "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
            "norm_op_kwargs": {"eps": 1e-5, "affine": True}, "dropout_op": None, "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU", "nonlin_kwargs": {"inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }  # fmt: skip
    resampling = "resample_data_or_seg_to_shape"
    configuration = {
        "data_identifier": "nnUNetPlans_3d_fullres", "preprocessor_name": "DefaultPreprocessor", "batch_size": 2,
        "patch_size": list(PATCH), "median_image_size_in_voxels": [256.0, 256.0, 256.0],
        "spacing": [SPACING_MM] * 3, "normalization_schemes": ["CTNormalization"], "use_mask_for_norm": [False],
        "resampling_fn_data": resampling, "resampling_fn_seg": resampling, "resampling_fn_probabilities": resampling,
        "resampling_fn_data_kwargs": {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None},
        "resampling_fn_seg_kwargs": {"is_seg": True, "order": 1, "order_z": 0, "force_separate_z": None},
        "resampling_fn_probabilities_kwargs": {"is_seg": False, "order": 1, "order_z": 0, "force_separate_z": None},
        "architecture": architecture, "batch_dice": True,
    }  # fmt: skip
    intensities = {"mean": 100.0, "std": 300.0, "percentile_00_5": -1000.0, "percentile_99_5": 1500.0}
    return {
        "dataset_name": "Dataset999_Time", "plans_name": "nnUNetPlans", "image_reader_writer": "NibabelIOWithReorient",
        "original_median_spacing_after_transp": [SPACING_MM] * 3, "transpose_forward": [0, 1, 2],
        "original_median_shape_after_transp": [256, 256, 256], "transpose_backward": [0, 1, 2],
        "label_manager": "LabelManager", "experiment_planner_used": "ExperimentPlanner",
        "foreground_intensity_properties_per_channel": {"0": intensities},
        "configurations": {"3d_fullres": configuration},
    }  # fmt: skip


def main() -> None:
    """Run the peer that the arguments name and print its figures."""
    name, scan, threads = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(threads)
    if name == "monai":
        found = monai_prediction(scan)
    else:
        found = nnunet_prediction(scan, int(sys.argv[4]), sys.argv[5] == "mirrored")
    stages = found.pop("stages")
    walls, cpus = zip(*stages.values(), strict=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    result = {"wall_s": round(sum(walls), 2), "cpu_s": round(sum(cpus), 2), "peak_gb": round(peak, 2)}
    result["stages_s"] = {stage: round(wall, 2) for stage, (wall, _) in stages.items()}
    print(json.dumps({**result, **found}))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as own:
        for kind in ("raw", "preprocessed", "results"):
            os.environ[f"nnUNet_{kind}"] = str(Path(own) / kind)
        main()
