"""Names of the data sets that `vertseg prepare` knows; loads nothing, for the command's help."""

from typing import Final

SETS: Final[dict[str, str]] = {
    "verse": "VerSe 2019 and 2020: rawdata and derivatives, or the challenge's folders",
    "ctspine1k": "CTSpine1K: volumes, labels and data_split.txt",
    "totalsegmentator": "TotalSegmentator v2: a folder of masks per case",
    "spine-mets": "Spine-Mets-CT-SEG from TCIA: DICOM CT and DICOM SEG",
    "nnunet": "nnU-Net raw: imagesTr, labelsTr and dataset.json",
    "decathlon": "Medical Segmentation Decathlon: dataset.json with a list of pairs",
    "cohort": "what vertseg phantom cohort wrote, or any folder with an index.json",
    "folder": "a CSV with a row per scan, or a folder that holds cases.csv",
}
"""Name of a set -> its layout in words. The module is named like the set, with `_` for `-`."""
