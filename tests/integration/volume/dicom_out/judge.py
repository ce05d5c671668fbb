"""What pydicom, dcm2niix and dciodvfy say of DICOM series that were written; nothing of ours reads here what ours wrote.

    judge.py make FOLDER           series of all kinds
    judge.py attributes IN OUT     the series OUT has what the slices of IN have, but for what had to change
    judge.py agree NIFTI OUT       dcm2niix makes the volume NIFTI of the series OUT
    judge.py validity IN OUT       dciodvfy finds no error in OUT that it does not find in IN
    judge.py same A B              the files of both folders are the same, byte for byte
"""

import re
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import dcm2niix
import nibabel as nib
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

warnings.filterwarnings("ignore")
MR = "1.2.840.10008.5.1.4.1.1.4"
ENHANCED = "1.2.840.10008.5.1.4.1.1.4.1"
ROOT = "1.2.826.0.1.3680043.8.498.7"
SIZE = (20, 28)  # rows and columns
TURN = np.array([[0.96, 0.28, 0], [-0.28 * 0.8, 0.96 * 0.8, 0.6]])  # directions along rows and down columns

CHANGED = {
    "SOPInstanceUID", "SeriesInstanceUID", "ImageType", "Rows", "Columns", "PixelSpacing", "ImagePositionPatient",
    "SliceThickness", "SpacingBetweenSlices", "SliceLocation", "InstanceNumber", "SmallestImagePixelValue",
    "LargestImagePixelValue", "SeriesNumber", "SeriesDescription", "DerivationDescription", "SourceImageSequence",
    "ContributingEquipmentSequence", "PixelData",
}  # fmt: skip
DROPPED = {
    "InstanceCreationDate", "InstanceCreationTime", "InstanceCreatorUID", "IconImageSequence", "MACParametersSequence",
    "DigitalSignaturesSequence", "ShutterShape", "ShutterLeftVerticalEdge", "SmallestPixelValueInSeries", "LargestPixelValueInSeries",
    "DataSetTrailingPadding",
}  # fmt: skip


def pixels(index, low=0, high=4000):
    """A slice with shape, from low to high."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    wave = np.sin(0.4 * x + 0.2 * index) * np.cos(0.3 * y - 0.1 * index)
    edge = np.where((x - 14) ** 2 + (y - 9) ** 2 < 30, 1.0, 0.0)
    return np.round(low + (high - low) * np.clip(0.5 + 0.3 * wave + 0.4 * edge, 0, 1)).astype(int)


def base(name, kind=MR):
    """What the slices of a series have in common."""
    d = Dataset()
    d.SOPClassUID = kind
    d.StudyInstanceUID = f"{ROOT}.1"
    d.SeriesInstanceUID = f"{ROOT}.2.{sum(name.encode())}"
    d.FrameOfReferenceUID = f"{ROOT}.3"
    d.Modality = "MR"
    d.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
    d.StudyDate, d.StudyTime, d.SeriesDate, d.ContentDate, d.ContentTime = "20200102", "030405", "20200102", "20200102", "030407"
    d.AccessionNumber, d.ReferringPhysicianName, d.Manufacturer = "A77", "Doc^Tor", "SIEMENS"
    d.PatientName, d.PatientID, d.PatientBirthDate, d.PatientSex = "Doe^Jane", "P77", "19700102", "F"
    d.StudyID, d.SeriesNumber, d.AcquisitionNumber, d.Laterality = "1", "4", "1", ""
    d.SeriesDescription = "ax t2 tse"
    d.ScanningSequence, d.SequenceVariant, d.ScanOptions, d.MRAcquisitionType = "SE", "SK", "", "2D"
    d.EchoTime, d.RepetitionTime, d.EchoTrainLength, d.MagneticFieldStrength = "90", "4000", "11", "3"
    d.SliceThickness, d.SpacingBetweenSlices = "4", "2"
    d.PatientPosition, d.PositionReferenceIndicator = "HFS", ""
    d.Rows, d.Columns = SIZE
    d.PixelSpacing = ["0.9", "0.8"]
    d.ImageOrientationPatient = [f"{part:.6g}" for part in TURN.flatten()]
    d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
    d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 16, 12, 11, 0
    d.WindowCenter, d.WindowWidth = "1000", "2000"
    return d


def position(index):
    across = np.cross(*TURN)
    return [f"{part:.9g}" for part in np.array([-90.5, -126.25, 40]) + 4.5 * index * across]


def put(d, values):
    kind = {8: "u1", 16: "u2", 32: "u4"}[d.BitsAllocated]
    d.PixelData = np.asarray(values).astype(kind if not d.PixelRepresentation else kind.replace("u", "i")).tobytes()
    d["PixelData"].VR = "OW" if d.BitsAllocated > 8 else "OB"


def save(d, path, syntax=ExplicitVRLittleEndian):
    d.file_meta = FileMetaDataset()
    d.file_meta.TransferSyntaxUID = syntax
    d.file_meta.MediaStorageSOPClassUID = d.SOPClassUID
    d.file_meta.MediaStorageSOPInstanceUID = d.SOPInstanceUID
    path.parent.mkdir(parents=True, exist_ok=True)
    if syntax == ExplicitVRBigEndian:
        d.PixelData = np.frombuffer(d.PixelData, "<u2").astype(">u2").tobytes()
    d.save_as(path, enforce_file_format=True)


def series(folder, count=4, change=None, values=None, syntax=ExplicitVRLittleEndian, times=1):
    for index in range(count * times):
        k, time = index % count, index // count
        d = base(folder.name)
        d.SOPInstanceUID = f"{d.SeriesInstanceUID}.{index + 1}"
        d.InstanceNumber = count * times - index
        d.ImagePositionPatient = position(k)
        d.SliceLocation = f"{7 + 4.5 * k}"
        if times > 1:
            d.TemporalPositionIdentifier, d.NumberOfTemporalPositions = time + 1, times
            d.AcquisitionTime = f"03040{time}"
        if change:
            change(d, k)
        put(d, values(k) if values else pixels(index))
        # Names that say nothing of the order.
        save(d, folder / f"{(index * 7 + 3) % 11:02}.dcm", syntax)


def rich(d, _):
    """Everything that has to go, and things that have to stay."""
    d.InstanceCreationDate, d.InstanceCreationTime, d.InstanceCreatorUID = "20200102", "030406", f"{ROOT}.9"
    d.SmallestImagePixelValue, d.LargestImagePixelValue = 0, 4000
    d.SmallestPixelValueInSeries, d.LargestPixelValueInSeries = 0, 4000
    d.DerivationDescription = "filtered"
    d.ShutterShape, d.ShutterLeftVerticalEdge = "RECTANGULAR", "3"
    d.private_block(0x0029, "ACME", create=True).add_new(1, "LO", "secret")
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = MR, f"{ROOT}.8"
    item.private_block(0x0009, "ACME", create=True).add_new(2, "LO", "nested")
    d.ReferencedImageSequence = Sequence([item])
    icon = Dataset()
    icon.Rows = icon.Columns = 2
    icon.PixelData = b"\0\1\2\3"
    icon["PixelData"].VR = "OB"
    d.IconImageSequence = Sequence([icon])
    other = Dataset()
    other.Manufacturer = "ACME"
    d.ContributingEquipmentSequence = Sequence([other])
    source = Dataset()
    source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID = MR, f"{ROOT}.6"
    d.SourceImageSequence = Sequence([source])
    d.add_new(0x60000010, "US", SIZE[0])
    d.add_new(0x60000011, "US", SIZE[1])
    d.add_new(0x60000040, "CS", "G")
    d.add_new(0x60000050, "SS", [1, 1])
    d.add_new(0x60000100, "US", 1)
    d.add_new(0x60000102, "US", 0)
    d.add_new(0x60003000, "OW", b"\0" * (SIZE[0] * SIZE[1] // 8 + SIZE[0] * SIZE[1] // 8 % 2))
    d.MACParametersSequence = Sequence([Dataset()])
    d.DigitalSignaturesSequence = Sequence([Dataset()])


def signed(d, _):
    d.BitsStored, d.HighBit, d.PixelRepresentation = 16, 15, 1
    d.RescaleSlope, d.RescaleIntercept, d.RescaleType = "2.5", "-100.25", "US"
    d.PixelPaddingValue = -2000
    d.WindowCenter, d.WindowWidth = ["-100", "5"], ["4000", "77"]


def scaled(d, index):
    d.RescaleSlope, d.RescaleIntercept = f"{1 + 0.5 * index}", f"{-10 * index}"


def named(charset, name):
    def change(d, _):
        d.SpecificCharacterSet = charset
        d.PatientName = name
        d.SeriesDescription = "kopf " * 11

    return change


def enhanced(folder, count=4):
    d = base(folder.name, ENHANCED)
    for name in ["PixelSpacing", "ImageOrientationPatient", "SliceThickness", "EchoTime", "RepetitionTime",
                 "EchoTrainLength", "ScanningSequence", "SequenceVariant", "ScanOptions", "WindowCenter", "WindowWidth"]:  # fmt: skip
        delattr(d, name)
    d.SOPInstanceUID = f"{d.SeriesInstanceUID}.1"
    d.InstanceNumber = 1
    d.NumberOfFrames = count
    d.ImageType = ["ORIGINAL", "PRIMARY", "M", "NONE"]
    d.EchoPulseSequence, d.EchoPlanarPulseSequence, d.SegmentedKSpaceTraversal = "GRADIENT", "YES", "SINGLE"
    d.ResonantNucleus, d.PulseSequenceName, d.SpectrallySelectedSuppression = "1H", "epfid", "FAT"

    def group(name, **attributes):
        item = Dataset()
        for key, value in attributes.items():
            setattr(item, key, value)
        return name, Sequence([item])

    def groups(*pairs):
        item = Dataset()
        for name, value in pairs:
            setattr(item, name, value)
        return item

    d.SharedFunctionalGroupsSequence = Sequence([groups(
        group("PixelMeasuresSequence", PixelSpacing=["0.9", "0.8"], SliceThickness="4", SpacingBetweenSlices="4.5"),
        group("PlaneOrientationSequence", ImageOrientationPatient=[f"{part:.6g}" for part in TURN.flatten()]),
        group("MRTimingAndRelatedParametersSequence", RepetitionTime="2000", FlipAngle="52", EchoTrainLength="1"),
        group("MRFOVGeometrySequence", InPlanePhaseEncodingDirection="COLUMN",
              MRAcquisitionFrequencyEncodingSteps=64, MRAcquisitionPhaseEncodingStepsInPlane=60),
    )])  # fmt: skip
    d.PerFrameFunctionalGroupsSequence = Sequence([
        groups(
            group("FrameContentSequence", StackID="1", InStackPositionNumber=k + 1,
                  FrameAcquisitionDateTime=f"2020010203040{k}.5"),
            group("PlanePositionSequence", ImagePositionPatient=position(k)),
            group("MREchoSequence", EffectiveEchoTime=30.5),
            group("MRImageFrameTypeSequence", FrameType=["ORIGINAL", "PRIMARY", "M", "NONE"]),
            group("PixelValueTransformationSequence", RescaleSlope="2", RescaleIntercept="0", RescaleType="US"),
            group("FrameVOILUTSequence", WindowCenter=f"{500 + k}", WindowWidth="900"),
        )
        for k in range(count)
    ])  # fmt: skip
    put(d, np.stack([pixels(k) for k in range(count)]))
    save(d, folder / "all.dcm")


def make(folder):
    series(folder / "plain")
    series(folder / "rich", change=rich)
    series(folder / "signed", change=signed, values=lambda k: pixels(k, -2000, 30000), syntax=ImplicitVRLittleEndian)
    # Values that reach both ends of the stored bits, so that what overshoots must saturate.
    series(folder / "full", values=lambda k: np.where(pixels(k) > 2200, 4095, 0))
    series(folder / "scaled", change=scaled)
    series(folder / "times", times=2)
    series(folder / "bytes", change=lambda d, _: setattr(d, "BitsAllocated", 8) or setattr(d, "BitsStored", 8) or setattr(d, "HighBit", 7),
           values=lambda k: pixels(k, 0, 255))  # fmt: skip
    series(folder / "big", syntax=ExplicitVRBigEndian)
    series(folder / "latin", change=named("ISO_IR 100", "Müßig^Änne"))
    series(folder / "unicode", change=named("ISO_IR 192", "Wang^XiaoDong=王^小东"))
    series(folder / "japanese", change=named(["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"))
    series(folder / "chinese", change=named("GB18030", "Wang^XiaoDong=王^小东"))
    series(folder / "single", count=1)
    enhanced(folder / "enhanced")


def read(folder):
    found = [pydicom.dcmread(path) for path in sorted(Path(folder).iterdir()) if path.is_file()]
    assert found, f"{folder} is empty"
    return found


def attributes(source, result):
    sources = {str(d.SOPInstanceUID): d for d in read(source)}
    results = read(result)
    assert len({str(d.SOPInstanceUID) for d in results}) == len(results)
    assert len({str(d.SeriesInstanceUID) for d in results}) == 1
    for number, d in enumerate(results, 1):
        assert d.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
        assert d.file_meta.MediaStorageSOPInstanceUID == d.SOPInstanceUID
        assert d.SOPClassUID == MR and d.file_meta.MediaStorageSOPClassUID == MR
        for uid in (d.SOPInstanceUID, d.SeriesInstanceUID):
            assert uid.startswith("2.25.") and uid.is_valid, uid
        assert d.InstanceNumber == number
        references = [sources[str(item.ReferencedSOPInstanceUID)] for item in d.SourceImageSequence]
        assert all(item.PurposeOfReferenceCodeSequence[0].CodeValue == "121322" for item in d.SourceImageSequence)
        own = next(iter(sources.values()))
        across = np.cross(*np.reshape([float(part) for part in d.ImageOrientationPatient], (2, 3)))
        location = float(np.dot([float(part) for part in d.ImagePositionPatient], across))
        assert abs(location - float(d.SliceLocation)) < 1e-3
        if own.SOPClassUID == MR:
            classic(d, references, sources)
        else:
            frames = [
                sources[str(item.ReferencedSOPInstanceUID)].PerFrameFunctionalGroupsSequence[item.ReferencedFrameNumber - 1]
                for item in d.SourceImageSequence
            ]
            converted(d, own, nearest(d, frames, [frame.PlanePositionSequence[0] for frame in frames]))
        assert list(d.ImageType[:2]) == ["DERIVED", "SECONDARY"] and list(d.ImageType[2:]) == list(own.ImageType[2:])
        assert d.SeriesNumber == own.SeriesNumber + 1000
        assert re.search(r"PartDiff x[0-9.]+, not for diagnosis$", d.SeriesDescription)
        assert len(d.SeriesDescription) <= 64
        assert "PartDiff" in d.DerivationDescription and "prediction" in d.DerivationDescription
        equipment = d.ContributingEquipmentSequence[-1]
        assert equipment.Manufacturer == "PartDiff" and equipment.PurposeOfReferenceCodeSequence[0].CodeValue == "109102"
        values = d.pixel_array
        assert values.shape == (d.Rows, d.Columns)
        assert (values.min(), values.max()) == (d.SmallestImagePixelValue, d.LargestImagePixelValue)
        assert all(len(str(part)) <= 16 for part in [*d.ImagePositionPatient, *d.PixelSpacing])
    positions = np.array([[float(part) for part in d.ImagePositionPatient] for d in results])
    times = len(results) // len({tuple(place) for place in positions})
    steps = np.diff(positions[: len(results) // times], axis=0) @ across
    assert (steps > 0).all() and (steps.size == 0 or np.ptp(steps) < 0.05 * steps.mean()), steps
    if steps.size:
        assert abs(float(results[0].SpacingBetweenSlices) - steps.mean()) < 1e-3
        assert float(results[0].SliceThickness) <= steps.mean() + 1e-3


def classic(d, references, sources):
    """Every attribute of a classic source is there unchanged, but for those that must change or go."""
    source = nearest(d, references, references)
    for element in source:
        name = element.keyword
        if element.tag.is_private or element.tag.group in range(0x6000, 0x6100) or name in DROPPED or element.tag.element == 0:
            assert element.tag not in d, f"{element} is kept"
        elif name not in CHANGED :
            expected = Sequence([without_private(item) for item in element.value]) if element.VR == "SQ" else element.value
            assert d[element.tag].value == expected, f"{element} became {d[element.tag]}"
            assert d[element.tag].VR == element.VR, f"{element} became {d[element.tag]}"
    for element in d:
        assert element.tag in source or element.keyword in CHANGED, f"{element} is new"
    if "DerivationDescription" in source:
        assert d.DerivationDescription.startswith(source.DerivationDescription)
    for old in source.get("ContributingEquipmentSequence", []):
        assert d.ContributingEquipmentSequence[0] == old


def nearest(d, sources, places):
    """The one of the sources, at these places, that lies nearest across the slices; of two the later one."""
    positions = np.array([[float(part) for part in place.ImagePositionPatient] for place in places])
    own = np.array([float(part) for part in d.ImagePositionPatient])
    across = np.cross(*np.reshape([float(part) for part in d.ImageOrientationPatient], (2, 3)))
    away = np.abs((positions - own) @ across)
    return sources[int(np.flatnonzero(away <= away.min() + 1e-4)[-1])]


def without_private(item):
    item.remove_private_tags()
    return item


def converted(d, source, frame):
    """What the functional groups of a frame say stands in the classic image."""
    shared = source.SharedFunctionalGroupsSequence[0]
    assert d.EchoTime == frame.MREchoSequence[0].EffectiveEchoTime
    assert d.RepetitionTime == shared.MRTimingAndRelatedParametersSequence[0].RepetitionTime
    assert d.ImageOrientationPatient == shared.PlaneOrientationSequence[0].ImageOrientationPatient
    assert "PerFrameFunctionalGroupsSequence" not in d and "NumberOfFrames" not in d
    assert d.PatientName == source.PatientName and d.StudyInstanceUID == source.StudyInstanceUID
    assert d.InPlanePhaseEncodingDirection in ("COL", "ROW")
    assert "GR" in d.ScanningSequence and "EP" in d.ScanningSequence
    assert d.AcquisitionDate and d.AcquisitionTime and d.ImagedNucleus == "1H"
    if "FrameVOILUTSequence" in frame:
        assert d.WindowCenter == frame.FrameVOILUTSequence[0].WindowCenter
        assert d.RescaleSlope == frame.PixelValueTransformationSequence[0].RescaleSlope


def volume(folder):
    """What dcm2niix makes of a series."""
    with tempfile.TemporaryDirectory() as place:
        command = [dcm2niix.bin, "-o", place, "-f", "x", "-z", "n", "-b", "n", folder]
        told = subprocess.run(command, capture_output=True, text=True)
        files = sorted(Path(place).glob("*.nii"))
        assert len(files) == 1, (told.stdout, files)
        image = nib.load(files[0])
        return image.get_fdata(dtype=np.float64), image.affine


def agree(nifti, result, distances="even"):
    ours = nib.load(nifti)
    values, affine = volume(result)
    expected = ours.get_fdata(dtype=np.float64)
    assert expected.shape == values.shape, (expected.shape, values.shape)
    # dcm2niix takes the distance of the first two slices for all.
    within = np.full((4, 4), 1e-4)
    if distances == "uneven":
        within[:, 2] = 0.02 * np.linalg.norm(ours.affine[:3, 2])
    assert (np.abs(affine - ours.affine) <= within).all(), (affine, ours.affine)
    expected = expected.reshape(*expected.shape[:3], -1)
    values = values.reshape(expected.shape)
    slices = expected.shape[2]
    for n, d in enumerate(read(result)):
        slope, intercept = float(d.get("RescaleSlope", 1)), float(d.get("RescaleIntercept", 0))
        least = -(1 << d.BitsStored - 1) if d.PixelRepresentation else 0
        most = least + (1 << d.BitsStored) - 1
        # NIfTI has room for what overshoots the stored bits.
        there = np.clip(expected[:, :, n % slices, n // slices], least * slope + intercept, most * slope + intercept)
        off = np.abs(values[:, :, n % slices, n // slices] - there).max()
        # Half a step, and what 32 bits leave of the product.
        assert off <= 0.5 * slope * (1 + 1e-4) + 1e-3, (d.InstanceNumber, off, slope)


def errors(path):
    told = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True)
    lines = (told.stdout + told.stderr).splitlines()
    assert any("Image" in line for line in lines), lines
    # Values are quoted in some, and UIDs of the input are told again where the result refers to it.
    return {re.sub(r'"[^"]*"|<[0-9.]+>| in \(0x.*', "", line) for line in lines if line.startswith("Error")}


def validity(source, result):
    known = set().union(*(errors(path) for path in Path(source).iterdir()))
    for path in sorted(Path(result).iterdir()):
        new = errors(path) - known
        assert not new, (path, new)


def same(a, b):
    files = [sorted(path for path in Path(folder).iterdir()) for folder in (a, b)]
    assert [path.name for path in files[0]] == [path.name for path in files[1]]
    for one, other in zip(*files):
        assert one.read_bytes() == other.read_bytes(), (one, other)


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    {"make": lambda folder: make(Path(folder)), "attributes": attributes, "agree": agree, "validity": validity, "same": same}[what](*arguments)
