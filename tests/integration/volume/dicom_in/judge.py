"""What pydicom and dcm2niix say of series and of what was read of them; nothing of ours reads here what ours wrote.

    judge.py make FOLDER [jpegls]  series of all kinds that are read, each in a folder of its own
    judge.py compare SERIES NIFTI [uneven|scaled|apart]
        NIFTI has the voxels of SERIES as pydicom decodes them, where dcm2niix puts them; with uneven, distances of slices
        may differ, with scaled, dcm2niix's values, and with apart, dcm2niix is not asked
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import dcm2niix
import gdcm
import nibabel as nib
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

GDCM = {
    JPEGLosslessSV1: gdcm.TransferSyntax.JPEGLosslessProcess14_1,
    JPEGLSLossless: gdcm.TransferSyntax.JPEGLSLossless,
}
COLUMNS, ROWS = 40, 33
ORIENTATIONS = {
    "axial": [1, 0, 0, 0, 1, 0],
    "sagittal": [0, 1, 0, 0, 0, -1],
    "coronal": [1, 0, 0, 0, 0, -1],
    "reversed": [-1, 0, 0, 0, 1, 0],
}


def oblique():
    """Two directions at right angles that lie along no axis."""
    a = np.array([0.9, -0.3, 0.2])
    a /= np.linalg.norm(a)
    b = np.cross([0.1, 0.2, 0.95], a)
    return [*a, *(b / np.linalg.norm(b))]


def slice_of(orientation, index, signed=False, distance=5.0):
    """A slice of a series, `distance` mm from the one before it."""
    file = Dataset()
    file.file_meta = FileMetaDataset()
    file.file_meta.MediaStorageSOPClassUID = file.SOPClassUID = pydicom.uid.MRImageStorage
    file.file_meta.MediaStorageSOPInstanceUID = file.SOPInstanceUID = f"2.25.1000{index}"
    file.StudyInstanceUID, file.SeriesInstanceUID, file.FrameOfReferenceUID = "2.25.1", "2.25.2", "2.25.3"
    # Else GDCM takes the time of now, which differs from slice to slice.
    file.StudyDate, file.StudyTime = "20260102", "030405"
    file.Modality, file.SeriesNumber = "MR", 4
    file.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
    # Against the order of the slices.
    file.InstanceNumber = 100 - index
    file.AcquisitionNumber = 1
    file.Manufacturer = "nobody"
    file.PatientName, file.PatientID = "Secret^Name", "Secret"
    file.RepetitionTime, file.EchoTime = 2500, 90
    normal = np.cross(orientation[:3], orientation[3:])
    file.ImageOrientationPatient = [float(f"{x:.9f}") for x in orientation]
    file.ImagePositionPatient = [float(f"{x:.6f}") for x in np.array([-40.5, 12.25, 7.0]) + index * distance * normal]
    file.PixelSpacing = [0.8, 0.6]
    file.SliceThickness = distance
    file.Columns, file.Rows, file.SamplesPerPixel = COLUMNS, ROWS, 1
    file.PhotometricInterpretation = "MONOCHROME2"
    file.BitsAllocated, file.BitsStored, file.HighBit = 16, 12, 11
    file.PixelRepresentation = int(signed)
    values = pixels(index) - (400 if signed else 0)
    file.PixelData = values.astype("<i2" if signed else "<u2").tobytes()
    return file


def pixels(index):
    y, x = np.mgrid[:ROWS, :COLUMNS]
    return 100 * index + 37 * y + 11 * x


def save(file, path, syntax=ExplicitVRLittleEndian):
    path.parent.mkdir(parents=True, exist_ok=True)
    # Each folder is a series.
    file.SeriesInstanceUID = "2.25." + str(int.from_bytes(path.parent.name.encode(), "big"))
    if syntax in (RLELossless, JPEG2000Lossless):
        file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        file.compress(syntax, generate_instance_uid=False)
    else:
        file.file_meta.TransferSyntaxUID = syntax
    if syntax == ExplicitVRBigEndian:
        file.PixelData = np.frombuffer(file.PixelData, "<u2").astype(">u2").tobytes()
    if syntax in GDCM:
        file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file.save_as(path, enforce_file_format=True)
    if syntax in GDCM:
        compress(path, GDCM[syntax])


def compress(path, syntax):
    """Writes the file again in a syntax that pydicom cannot write."""
    reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
    reader.SetFileName(str(path))
    assert reader.Read()
    change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()


def enhanced(times=1, own_scale=False):
    """An Enhanced MR file for each time; frames stand in no order."""
    for time in range(times):
        file = slice_of(ORIENTATIONS["axial"], time)
        for name in ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "EchoTime"]:
            delattr(file, name)
        file.file_meta.MediaStorageSOPClassUID = file.SOPClassUID = pydicom.uid.EnhancedMRImageStorage
        file.InstanceNumber = file.AcquisitionNumber = time + 1
        order = [2, 0, 3, 1]
        file.NumberOfFrames = len(order)
        shared = Dataset()
        shared.PlaneOrientationSequence = Sequence([Dataset()])
        shared.PlaneOrientationSequence[0].ImageOrientationPatient = ORIENTATIONS["axial"]
        shared.PixelMeasuresSequence = Sequence([Dataset()])
        shared.PixelMeasuresSequence[0].PixelSpacing = [0.8, 0.6]
        shared.PixelMeasuresSequence[0].SliceThickness = 2.5
        file.SharedFunctionalGroupsSequence = Sequence([shared])
        frames = []
        for place in order:
            frame = Dataset()
            frame.PlanePositionSequence = Sequence([Dataset()])
            frame.PlanePositionSequence[0].ImagePositionPatient = [-10, 20, 3 * place]
            frame.FrameContentSequence = Sequence([Dataset()])
            frame.FrameContentSequence[0].InStackPositionNumber = place + 1
            frame.FrameContentSequence[0].StackID = "1"
            frame.FrameContentSequence[0].TemporalPositionIndex = time + 1
            frame.FrameContentSequence[0].DimensionIndexValues = [1, place + 1]
            frame.PixelValueTransformationSequence = Sequence([Dataset()])
            frame.PixelValueTransformationSequence[0].RescaleSlope = 1.5 + place if own_scale else 1.5
            frame.PixelValueTransformationSequence[0].RescaleIntercept = -3
            frame.PixelValueTransformationSequence[0].RescaleType = "US"
            frames.append(frame)
        file.PerFrameFunctionalGroupsSequence = Sequence(frames)
        file.PixelData = b"".join((pixels(place) + 7 * time).astype("<u2").tobytes() for place in order)
        yield file


def make(folder, *more):
    for name, orientation in {**ORIENTATIONS, "oblique": oblique()}.items():
        for index in range(4):
            save(slice_of(orientation, index), folder / name / f"{3 * index % 4}.x")
    for name, syntax in {
        "implicit": ImplicitVRLittleEndian,
        "big": ExplicitVRBigEndian,
        "deflated": DeflatedExplicitVRLittleEndian,
        "rle": RLELossless,
        "jpeg2000": JPEG2000Lossless,
        "jpeg-lossless": JPEGLosslessSV1,
        **{kind: JPEGLSLossless for kind in more},
    }.items():
        for index in range(3):
            save(slice_of(ORIENTATIONS["axial"], index), folder / name / f"{index}", syntax)
    for index in range(3):
        # Bits above those that are stored may hold anything.
        file = slice_of(ORIENTATIONS["axial"], index, signed=True)
        stored = np.frombuffer(file.PixelData, "<u2") & 0xFFF
        file.PixelData = stored.tobytes()
        save(file, folder / "signed" / f"{index}")
        file = slice_of(ORIENTATIONS["axial"], index)
        file.RescaleSlope, file.RescaleIntercept = 2 + index, -5
        save(file, folder / "scaled" / f"{index}")
        file = slice_of(ORIENTATIONS["axial"], index)
        file.RescaleSlope, file.RescaleIntercept = 0.5, 3
        save(file, folder / "same-scale" / f"{index}")
        save(slice_of(ORIENTATIONS["axial"], index), folder / "bare" / f"{index}")
        # Without preamble, and in the second and third file without meta group.
        path = folder / "bare" / f"{index}"
        whole = path.read_bytes()
        length = int.from_bytes(whole[140:144], "little")
        path.write_bytes(whole[[132, 144 + length, 144 + length][index] :])
        for time in range(2):
            file = slice_of(ORIENTATIONS["axial"], index)
            file.file_meta.MediaStorageSOPInstanceUID = file.SOPInstanceUID = f"2.25.9{time}{index}"
            file.AcquisitionNumber, file.InstanceNumber = time + 1, 3 * time + index + 1
            file.TemporalPositionIdentifier = time + 1
            file.PixelData = (pixels(index) + 500 * time).astype("<u2").tobytes()
            save(file, folder / "times" / f"{time}{index}")
    save(slice_of(oblique(), 0), folder / "single" / "a")
    for name, files in {
        "enhanced": enhanced(),
        "enhanced-times": enhanced(times=3),
        "enhanced-scaled": enhanced(own_scale=True),
    }.items():
        for index, file in enumerate(files):
            save(file, folder / name / f"{index}")


def frames_of(path):
    """Position, direction, time and values of each frame, all by pydicom."""
    file = pydicom.dcmread(path, force=True)
    if "TransferSyntaxUID" not in file.file_meta:
        file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    stored = np.asarray(file.pixel_array)
    stored = stored if "NumberOfFrames" in file else stored[None]
    for number, values in enumerate(stored):
        own = [file]
        if "PerFrameFunctionalGroupsSequence" in file:
            groups = [file.PerFrameFunctionalGroupsSequence[number], file.SharedFunctionalGroupsSequence[0]]
            own = [item.value[0] for group in groups for item in group if item.VR == "SQ" and len(item.value)] + own
        def find(name, default=None):
            return next((item[name].value for item in own if name in item), default)
        directions = np.array(find("ImageOrientationPatient"), float)
        position = np.array(find("ImagePositionPatient"), float)
        height = np.dot(position, np.cross(directions[:3], directions[3:]))
        slope, intercept = float(find("RescaleSlope", 1)), float(find("RescaleIntercept", 0))
        time = int(find("TemporalPositionIndex", 0) or find("TemporalPositionIdentifier", 0) or find("AcquisitionNumber", 0) or 0)
        yield time, round(float(height), 3), values.astype(float) * slope + intercept


def compare(series, path, but=""):
    ours = nib.load(path)
    files = [series] if series.is_file() else sorted(f for f in series.iterdir() if f.is_file())
    frames = sorted((frame for file in files for frame in frames_of(file)), key=lambda frame: frame[:2])
    times, heights = ({frame[n] for frame in frames} for n in (0, 1))
    shape = (*frames[0][2].shape[::-1], len(heights), len(frames) // len(heights))
    data = np.asarray(ours.dataobj).reshape(shape, order="F")
    assert len(frames) == shape[2] * shape[3], (len(frames), times, heights)
    for at, (_, _, values) in enumerate(frames):
        # Rows count from the bottom.
        np.testing.assert_allclose(data[:, :, at % shape[2], at // shape[2]].T[::-1], values, rtol=1e-6, atol=1e-6)
    assert ours.header["qform_code"] == ours.header["sform_code"] == 1
    np.testing.assert_allclose(ours.header.get_qform(), ours.header.get_sform(), atol=1e-4)
    if but == "apart":
        return
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as alone:
        if series.is_file():
            # Or it takes what lies beside it as well.
            shutil.copy(series, alone)
            series = alone
        run = [dcm2niix.bin, "-b", "n", "-z", "n", "-p", "n", "-f", "x", "-o", folder, str(series)]
        told = subprocess.run(run, capture_output=True, text=True)
        found = [f for f in Path(folder).iterdir() if "ROI" not in f.name]
        assert len(found) == 1, (found, told.stdout)
        theirs = nib.load(found[0])
        assert theirs.shape == ours.shape, (theirs.shape, ours.shape)
        if but != "uneven":
            np.testing.assert_allclose(ours.affine, theirs.affine, atol=1e-4)
            np.testing.assert_allclose(ours.header["pixdim"], theirs.header["pixdim"], atol=1e-4)
        for field in ["dim_info", "xyzt_units"]:
            assert ours.header[field] == theirs.header[field], field
        if but != "scaled":
            np.testing.assert_allclose(np.asarray(ours.dataobj), np.asarray(theirs.dataobj), rtol=1e-5, atol=0.5)


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(Path(sys.argv[2]), *sys.argv[3:])
    else:
        compare(Path(sys.argv[2]), Path(sys.argv[3]), *sys.argv[4:])
