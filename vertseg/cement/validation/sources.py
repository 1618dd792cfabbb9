"""The clinical studies that the simulator is held against."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Source:
    """A publication.

    Attributes:
        cite: authors, journal, year.
        identifier: PMID, PMCID or DOI.
        design: what was pooled or followed.
        read: which text its numbers were checked against.
    """

    cite: str
    identifier: str
    design: str
    read: str


POOLED_RISKS: Final = Source(
    "risk factors of leakage pooled, World Neurosurg 2017;101:633-642",
    "PMID 28192270, doi 10.1016/j.wneu.2017.01.124",
    "meta-analysis of 22 studies of vertebroplasty or kyphoplasty, 2,872 patients, 4,187 vertebrae",
    "abstract on PubMed",
)
HIGH_VISCOSITY: Final = Source(
    "meta-analysis of high- against low-viscosity cement, Medicine (Baltimore) 2018",
    "PMC5895344",
    "meta-analysis of vertebroplasty and kyphoplasty to August 2017",
    "abstract on PubMed Central",
)
HIGH_VISCOSITY_2022: Final = Source(
    "meta-analysis of high- against low-viscosity cement, Eur Spine J 2022",
    "doi 10.1007/s00586-022-07150-w",
    "meta-analysis of 8 studies, 558 patients",
    "abstract",
)
VERTOS: Final = Source(
    "Venmans et al., Neuroradiology 2011;53:19-22 (VERTOS II)",
    "PMID 20442991, PMC3016147, doi 10.1007/s00234-010-0705-6",
    "CT after vertebroplasty in a multicentre trial, 80 vertebrae",
    "abstract on PubMed Central",
)
CLEFT: Final = Source(
    "case-control study of intravertebral clefts, BMC Musculoskelet Disord 2021",
    "PMC8449924, doi 10.1186/s12891-021-04685-9",
    "139 vertebrae with a cleft and 139 matched without, single level, vertebroplasty",
    "abstract on PubMed Central",
)
TYPES_344: Final = Source(
    "risk factors of leakage by type, J Orthop Surg Res 2021;16",
    "doi 10.1186/s13018-021-02337-1",
    "236 patients, 344 vertebrae, vertebroplasty",
    "abstract at the publisher",
)
METASTASES_530: Final = Source(
    "risk factors in spinal metastases, J Orthop Sci 2022;27:79-83",
    "PMID 33158733",
    "230 patients, 530 vertebrae, vertebroplasty",
    "MEDLINE abstract",
)
METASTASES_113: Final = Source(
    "leakage in spinal metastases, World J Surg Oncol 2022;20",
    "doi 10.1186/s12957-022-02583-5",
    "64 patients, 113 vertebrae, vertebroplasty",
    "abstract at the publisher",
)
CORCOS: Final = Source(
    "Corcos et al., Spine 2014;39(5)",
    "doi 10.1097/BRS.0000000000000134",
    "56 patients, 81 vertebrae with metastases, vertebroplasty",
    "abstract at the publisher",
)
CIANFONI: Final = Source(
    "Cianfoni et al., AJNR 2015;36:210-218",
    "PMID 25213884, PMC7965913, doi 10.3174/ajnr.A4096",
    "70 levels with eroded posterior wall; a cavity was made first in 59; high-viscosity cement",
    "abstract on PubMed Central",
)
ENDPLATE: Final = Source(
    "intradiscal leakage and preoperative MR findings (136 patients)",
    "found by its title on discovery.researcher.life",
    "234 osteoporotic vertebrae, vertebroplasty",
    "abstract",
)
YEOM: Final = Source(
    "Yeom et al., J Bone Joint Surg Br 2003;85:83-89",
    "PMID 12585583, doi 10.1302/0301-620x.85b1.13026",
    "CT of 76 vertebrae in 49 patients, vertebroplasty",
    "abstract on PubMed",
)
MAYO: Final = Source(
    "extravertebral leakage on CT, Acta Radiol 2012;53:569-572",
    "PMID 22637642, doi 10.1258/ar.2012.120222",
    "181 patients, 277 levels with CT after vertebroplasty",
    "abstract on PubMed",
)
UNILATERAL: Final = Source(
    "Sun & Li, J Orthop Surg Res 2016;11",
    "doi 10.1186/s13018-016-0479-6",
    "meta-analysis of 14 studies of vertebroplasty, 1,043 patients",
    "abstract at the publisher",
)
FORAMEN_167: Final = Source(
    "risk factors of leakage (160 patients), 2023, oj.chmed.net file 20230406",
    "no PMID seen",
    "167 vertebrae, vertebroplasty",
    "abstract at the publisher",
)
EMBOLISM: Final = Source(
    "pulmonary cement embolism on CT, J Orthop Surg Res 2021;16",
    "doi 10.1186/s13018-021-02472-9",
    "1,782 patients with chest CT after vertebroplasty or kyphoplasty",
    "abstract at the publisher",
)
SERIES_3175: Final = Source(
    "neurological deficit and cement embolism after vertebroplasty, J Orthop Surg Res 2019;14",
    "doi 10.1186/s13018-019-1459-4",
    "3,175 patients, vertebroplasty",
    "abstract at the publisher",
)
PARAVERTEBRAL_VEIN: Final = Source(
    "cement/body volume ratio and paravertebral vein leakage, BMC Musculoskelet Disord 2022",
    "doi 10.1186/s12891-022-05135-w",
    "495 patients, 585 vertebrae, vertebroplasty",
    "abstract at the publisher",
)
KRAUSS: Final = Source(
    "Krauss et al., Eur Radiol 2006;16:1015-1021",
    "doi 10.1007/s00330-005-0056-6",
    "114 patients, 192 vertebrae, 44 with a cleft, vertebroplasty",
    "abstract at the publisher",
)
IKEDA: Final = Source(
    "Ikeda et al., Open J Radiol 2013;3:152-158",
    "doi 10.4236/ojrad.2013.33025",
    "CT before vertebroplasty of 101 osteoporotic fractures",
    "abstract at the publisher",
)
