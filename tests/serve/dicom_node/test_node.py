"""The node's whole way, with peers that speak DICOM over the loopback address."""

import logging
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

pydicom = pytest.importorskip("pydicom")
hd = pytest.importorskip("highdicom")
pytest.importorskip("pynetdicom")

from pynetdicom import AE  # noqa: E402

from tests.serve.dicom_node.conftest import Node  # noqa: E402
from vertseg import predict  # noqa: E402
from vertseg.errors import InputError  # noqa: E402
from vertseg.labels import level_name  # noqa: E402
from vertseg.serve.dicom_node.settings import Limits, Peer  # noqa: E402


def write_a_result(images: Path, result: Path) -> None:
    """A predictor that only says how many images it saw."""
    result.mkdir(exist_ok=True)
    (result / "seen.txt").write_text(str(len(list(images.glob("*.dcm")))))


def only_key(node: Node) -> str:
    (key,) = node.inbox.series()
    return key


def test_it_answers_an_echo(start_node) -> None:
    node = start_node()
    ae = AE(ae_title="ANY")
    ae.add_requested_context("1.2.840.10008.1.1")
    association = ae.associate("127.0.0.1", node.receiver.port, ae_title="VERTSEG")
    assert association.send_c_echo().Status == 0
    association.release()


def test_a_series_comes_back_as_the_same_masks_that_the_nifti_gives(
    tmp_path, start_node, spine, oracle, pacs
) -> None:
    node = start_node(targets=(pacs.peer,))
    slices = spine.slices()
    assert node.store(slices[::-1]) == [0] * len(slices)
    node.work()
    assert node.inbox.state(only_key(node)).status == "done"
    assert sorted(d.Modality for d in pacs.got) == ["SEG", "SR"]
    expected = predict(spine.write_nifti(tmp_path / "scan.nii.gz"), engine=oracle)
    seg = hd.seg.Segmentation.from_dataset(next(d for d in pacs.got if d.Modality == "SEG"))
    uids = [s.SOPInstanceUID for s in slices]
    pixels = seg.get_pixels_by_source_instance(uids, assert_missing_frames_are_empty=True)
    names = [seg.get_segment_description(n).segment_label for n in seg.segment_numbers]
    levels = expected.levels.array
    for number in np.unique(levels[levels > 0]):
        found = pixels[..., names.index(level_name(int(number)))].astype(bool)
        np.testing.assert_array_equal(found, (levels == number).transpose(2, 1, 0))
        assert found.sum() > 100
    stored = nib.load(node.inbox.result(only_key(node)) / "levels.nii.gz")
    np.testing.assert_array_equal(np.asarray(stored.dataobj), levels)
    report = next(d for d in pacs.got if d.Modality == "SR")
    assert report.StudyInstanceUID == seg.StudyInstanceUID == slices[0].StudyInstanceUID


def test_one_bad_series_does_not_stop_the_others(start_node, small_scan) -> None:
    calls = []

    def sometimes(images: Path, result: Path) -> None:
        calls.append(images)
        first = pydicom.dcmread(next(images.glob("*.dcm")))
        if first.SeriesNumber == 2:
            raise InputError("This one cannot be used.")
        if first.SeriesNumber == 3:
            raise ZeroDivisionError("a defect")
        write_a_result(images, result)

    node = start_node(sometimes)
    for series in (2, 3, 4):
        node.store(small_scan().slices(series=series))
    node.work()
    states = [node.inbox.state(key) for key in node.inbox.series()]
    assert sorted(s.status for s in states) == ["done", "failed", "failed"]
    assert "This one cannot be used." in [s.sentence for s in states]
    assert len(calls) == 3


def test_a_restarted_node_goes_on(start_node, small_scan) -> None:
    first = start_node(write_a_result)
    first.store(small_scan().slices()[:4])
    first.receiver.stop()
    (first.inbox.images(only_key(first)) / ".partial-ab-half.dcm").write_bytes(b"half")
    second = start_node(write_a_result)
    second.store(small_scan().slices()[4:])
    second.work()
    key = only_key(second)
    assert second.inbox.state(key).status == "done"
    assert (second.inbox.result(key) / "seen.txt").read_text() == "10"
    third = start_node(write_a_result)
    assert third.worker.step() is False
    assert third.inbox.state(key).status == "done"


def test_a_series_that_kills_the_process_is_set_aside(start_node, small_scan) -> None:
    class Killed(BaseException):
        pass

    def killed(images: Path, result: Path) -> None:
        raise Killed

    start_node(killed).store(small_scan().slices())
    for _ in range(3):
        with pytest.raises(Killed):
            start_node(killed).work()
    node = start_node(killed)
    node.work()
    assert node.inbox.state(only_key(node)).status == "failed"
    assert "cut off 3 times" in node.inbox.state(only_key(node)).sentence


def test_a_late_instance_makes_it_predict_anew(start_node, small_scan) -> None:
    node = start_node(write_a_result)
    slices = small_scan().slices()
    node.store(slices[:-1])
    node.work()
    result = node.inbox.result(only_key(node)) / "seen.txt"
    assert result.read_text() == "9"
    node.store(slices)
    node.work()
    assert result.read_text() == "10"


def test_instances_that_come_while_it_predicts_are_not_lost(start_node, small_scan) -> None:
    slices = small_scan().slices()

    def slow(images: Path, result: Path) -> None:
        write_a_result(images, result)
        if len(list(images.glob("*.dcm"))) == 9:
            node.store(slices[-1:])
            raise InputError("A slice is missing.")

    node = start_node(slow)
    node.store(slices[:-1])
    node.work()
    key = only_key(node)
    assert node.inbox.state(key).status == "done"
    assert (node.inbox.result(key) / "seen.txt").read_text() == "10"


def test_what_comes_again_is_not_done_again(start_node, small_scan) -> None:
    calls = []

    def count(images: Path, result: Path) -> None:
        calls.append(1)
        write_a_result(images, result)

    node = start_node(count)
    for _ in range(2):
        node.store(small_scan().slices())
        node.work()
    assert len(calls) == 1


def test_it_waits_until_the_sender_has_hung_up(start_node, small_scan) -> None:
    node = start_node(write_a_result, complete_on="association", quiet_s=60)
    slices = small_scan().slices()
    ae = AE(ae_title="SENDER")
    ae.add_requested_context(slices[0].SOPClassUID, slices[0].file_meta.TransferSyntaxUID)
    association = ae.associate("127.0.0.1", node.receiver.port, ae_title="VERTSEG")
    for dataset in slices:
        assert association.send_c_store(dataset).Status == 0
    assert node.worker.step() is False
    association.release()
    node.work()
    assert node.inbox.state(only_key(node)).status == "done"


def test_a_target_that_is_down_is_tried_again_and_gets_everything_once(start_node, spine, pacs) -> None:
    down = Peer("PACS", "127.0.0.1", 1)
    node = start_node(targets=(down, pacs.peer))
    node.store(spine.slices())
    node.work()
    key = only_key(node)
    assert node.inbox.state(key).status == "predicted"
    assert node.inbox.state(key).sent == (str(pacs.peer),)
    assert len(pacs.got) == 2
    again = start_node(targets=(pacs.peer,))
    again.work()
    assert again.inbox.state(key).status == "done"
    assert len(pacs.got) == 2


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"object_bytes": 500}, 10),
        ({"instances": 3}, 7),
        ({"inbox_bytes": 8000}, None),
    ],
)
def test_limits_are_kept(start_node, small_scan, changes, refused) -> None:
    node = start_node(write_a_result, limits=Limits(**changes))
    statuses = node.store(small_scan().slices())
    assert set(statuses) <= {0, 0xA700}
    n = statuses.count(0xA700)
    assert n == refused if refused is not None else 0 < n < 10
    assert sum(p.stat().st_size for p in node.settings.folder.rglob("*.dcm")) <= 10 * 3000


def test_only_known_callers_are_let_in_and_only_by_the_right_name(start_node, small_scan) -> None:
    node = start_node(allow=("SENDER",))
    assert node.store(small_scan().slices()[:1], caller="STRANGER") == []
    assert node.store(small_scan().slices()[:1], called="OTHER") == []
    assert node.store(small_scan().slices()[:1]) == [0]


def test_only_ct_is_taken(start_node, small_scan) -> None:
    node = start_node()
    mr = small_scan().slices(SOPClassUID="1.2.840.10008.5.1.4.1.1.4", Modality="MR")[:1]
    assert node.store(mr) == []
    assert node.inbox.series() == []


def test_compressed_slices_are_taken_as_they_are(start_node, small_scan) -> None:
    slices = small_scan().slices()
    for dataset in slices:
        dataset.compress(pydicom.uid.RLELossless, generate_instance_uid=False)
    node = start_node(write_a_result)
    assert node.store(slices) == [0] * 10
    kept = pydicom.dcmread(next(node.inbox.images(only_key(node)).glob("*.dcm")))
    assert kept.file_meta.TransferSyntaxUID == pydicom.uid.RLELossless


def test_nothing_of_the_person_is_in_names_or_log(start_node, small_scan, caplog, capfd) -> None:
    def refuse(images: Path, result: Path) -> None:
        raise InputError("Somebody^Private cannot be used.")

    caplog.set_level(logging.DEBUG, logger="vertseg")
    node = start_node(refuse)
    node.store(small_scan().slices())
    node.work()
    told = caplog.text + "".join(capfd.readouterr()) + " ".join(map(str, node.settings.folder.rglob("*")))
    assert "could not be predicted" in told
    for secret in ("Somebody", "Private", "SECRET", "1.2.3", "Spine 2"):
        assert secret not in told


def test_images_are_deleted_in_time_and_results_kept_where_nobody_else_has_them(
    start_node, small_scan, spine, pacs
) -> None:
    node = start_node(write_a_result, keep_s=0)
    node.store(small_scan().slices())
    node.work()
    node.worker.step()
    key = only_key(node)
    assert not node.inbox.images(key).exists()
    assert (node.inbox.result(key) / "seen.txt").exists()
    sending = start_node(keep_s=0, targets=(pacs.peer,), folder=node.settings.folder.parent / "other")
    sending.store(spine.slices())
    sending.work()
    sending.worker.step()
    assert len(pacs.got) == 2
    assert sending.inbox.series() == []
