"""Steps of nnU-Net's trainer on crops from a file, one for each line on standard input (see bench_training.py).

Runs in nnU-Net's own environment. The network is vertseg's: the same U-Net with its tissue head, since nnU-Net
trains one label map; its loss, optimiser, clipping and augmentation are nnU-Net's own.
"""

import importlib.metadata
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

LABELS = {"background": 0, "body": 1, "posterior": 2}
CONFIGURATION = "3d_fullres"


def make_trainer(filters: tuple[int, ...], shape: tuple[int, ...], batch_size: int) -> Any:
    """nnU-Net's trainer, initialised, around vertseg's network."""
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    from vertseg.nets.unet import ExamineNet, NetSpec

    class TissueNet(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            whole = ExamineNet(NetSpec("examine", filters))
            self.unet, self.tissue = whole.unet, whole.tissue

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.tissue(self.unet(image)[-1])
            return logits

    class Trainer(nnUNetTrainer):  # type: ignore[misc]
        @staticmethod
        def build_network_architecture(
            plans_manager: Any,
            configuration_manager: Any,
            inputs: int,
            outputs: int,
            supervision: bool = True,
        ) -> torch.nn.Module:
            return TissueNet()

    plans = {
        "continue_training": False, "dataset_name": "Dataset999_Crops", "plans_name": "plans",
        "configurations": {CONFIGURATION: {
            "data_identifier": CONFIGURATION, "batch_size": batch_size, "patch_size": list(shape),
            "batch_dice": False, "use_mask_for_norm": [False, False], "normalization_schemes": ["NoNormalization"] * 2,
            "architecture": {"network_class_name": "", "arch_kwargs": {}, "_kw_requires_import": []},
        }},
    }  # fmt: skip
    dataset = {"channel_names": {"0": "CT", "1": "marker"}, "labels": LABELS, "numTraining": 1}
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    trainer = Trainer(plans, CONFIGURATION, 0, dataset, device)
    trainer.enable_deep_supervision = False  # the network has one output
    folder = Path(trainer.preprocessed_dataset_folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "crop.b2nd").touch()  # the trainer asks the folder which kind of files it holds
    trainer.initialize()
    return trainer


class Steps:
    """Batches of the crops, augmented or not, and the trainer's step on them."""

    def __init__(self, trainer: Any, images: np.ndarray, tissues: np.ndarray) -> None:
        self._trainer = trainer
        self._images, self._tissues = torch.from_numpy(images), torch.from_numpy(tissues[:, None])
        rotation, flat, _, mirrors = trainer.configure_rotation_dummyDA_mirroring_and_inital_patch_size()
        self._augment = trainer.get_training_transforms(images.shape[-3:], rotation, None, mirrors, flat)
        self._taken = 0

    def run(self, augmented: bool) -> dict[str, float]:
        """Seconds of one step, with taking its batch."""
        start, core = time.perf_counter(), time.process_time()
        size = self._trainer.batch_size
        rows = [(self._taken + i) % len(self._images) for i in range(size)]
        self._taken += size
        samples = [{"image": self._images[r], "segmentation": self._tissues[r].short()} for r in rows]
        if augmented:
            samples = [self._augment(**sample) for sample in samples]
        data = torch.stack([s["image"] for s in samples])
        target = torch.stack([s["segmentation"] for s in samples])
        loss = float(self._trainer.train_step({"data": data, "target": target})["loss"])
        return {"seconds": time.perf_counter() - start, "core": time.process_time() - core, "loss": loss}


def main() -> None:
    """Answer each line ("plain" or "augmented") with the seconds of a step."""
    crops, filters, batch_size = Path(sys.argv[1]), tuple(json.loads(sys.argv[2])), int(sys.argv[3])
    torch.set_num_threads(1)
    with np.load(crops) as stored:
        images, tissues = stored["image"], stored["tissue"]
    trainer = make_trainer(filters, images.shape[-3:], batch_size)
    steps = Steps(trainer, images, tissues)
    versions = {name: importlib.metadata.version(name) for name in ("nnunetv2", "torch", "batchgeneratorsv2")}
    print("ANSWER", json.dumps(versions), flush=True)
    for line in sys.stdin:
        print("ANSWER", json.dumps(steps.run(line.strip() == "augmented")), flush=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as own:
        for kind in ("raw", "preprocessed", "results"):
            os.environ[f"nnUNet_{kind}"] = str(Path(own) / kind)
        main()
