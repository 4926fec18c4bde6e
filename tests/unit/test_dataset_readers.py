"""Readers of raw files on tiny made-up files: round trips, and a DataError for each kind of damage."""

import bz2
import gzip
import io
import pickle
import struct
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from emergent.config.datasets import (
    ColourOptions,
    KatherCrcOptions,
    NctCrcOptions,
    NoOptions,
    Qm9Options,
    RandomSplit,
)
from emergent.datasets import cifar10, cifar10_jpeg, kather_crc, mnist, nct_crc, qm9
from emergent.datasets.colour import convert
from emergent.errors import DataError

COLOUR = ColourOptions(grey=False, resolution=32)


def _idx(array):
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def _write_mnist(folder, generator, num=5):
    images = generator.integers(0, 256, (num, 4, 4), np.uint8)
    labels = np.arange(num, dtype=np.uint8)
    for images_name, labels_name in mnist.FILES.values():
        (folder / images_name).write_bytes(gzip.compress(_idx(images)))
        (folder / labels_name).write_bytes(gzip.compress(_idx(labels)))
    return images, labels


def test_idx_round_trip(tmp_path):
    images, labels = _write_mnist(tmp_path, np.random.default_rng(0))
    arrays = mnist.prepare(tmp_path, NoOptions())
    np.testing.assert_array_equal(arrays["train/inputs"].values, images[..., None])
    np.testing.assert_array_equal(arrays["test/labels"].values, labels)
    assert arrays["train/inputs"].values.dtype == np.uint8
    assert arrays["train/labels"].values.dtype == np.int32


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda raw: gzip.compress(raw)[:-12], "truncated or damaged"),
        (lambda raw: b"<html>not found</html>", "truncated or damaged"),
        (lambda raw: b"", "IDX magic"),
        (lambda raw: gzip.compress(b"\0\0\x0d\3" + raw[4:]), "IDX magic 00000803 .* found 00000d03"),
        (lambda raw: gzip.compress(raw[:-1]), "promises 80 bytes .* found 79"),
        (lambda raw: gzip.compress(raw[:9]), "truncated or damaged"),
        (lambda raw: gzip.compress(_idx(np.zeros((4, 4, 4), np.uint8))), "4 images but 5 labels"),
    ],
)
def test_damaged_idx(tmp_path, damage, message):
    images, _ = _write_mnist(tmp_path, np.random.default_rng(0))
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(damage(_idx(images)))
    with pytest.raises(DataError, match=message):
        mnist.prepare(tmp_path, NoOptions())


def test_label_out_of_range(tmp_path):
    _write_mnist(tmp_path, np.random.default_rng(0), num=12)
    with pytest.raises(DataError, match=r"labels span 0\.\.11"):
        mnist.prepare(tmp_path, NoOptions())


def _write_cifar(folder, generator, leave_out=(), payload=None):
    images = {}
    with tarfile.open(folder / cifar10.ARCHIVE, "w:gz") as archive:
        for name in ["batches.meta", *[f"data_batch_{k}" for k in (2, 1, 3, 4, 5)], "test_batch"]:
            if name in leave_out:
                continue
            images[name] = generator.integers(0, 256, (2, 32, 32, 3), np.uint8)
            batch = {"data": images[name].transpose(0, 3, 1, 2).reshape(2, 3072), "labels": [1, 9]}
            # Protocol 2 and numpy's old module names: what the official files contain.
            content = pickle.dumps(payload or batch, protocol=2).replace(b"numpy._core", b"numpy.core")
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return images


def test_cifar10_round_trip(tmp_path):
    images = _write_cifar(tmp_path, np.random.default_rng(1))
    arrays = cifar10.prepare(tmp_path, COLOUR)
    expected = np.concatenate([images[f"data_batch_{k}"] for k in range(1, 6)])
    np.testing.assert_array_equal(arrays["train/inputs"].values, expected)
    np.testing.assert_array_equal(arrays["test/inputs"].values, images["test_batch"])
    np.testing.assert_array_equal(arrays["train/labels"].values, [1, 9] * 5)


def _python2_batch(planes, labels):
    """Returns a batch as Python 2 and numpy 1 pickled it: byte strings, integer flags, old module names."""
    raw = planes.tobytes()
    shape = b"(" + b"".join(b"J" + struct.pack("<i", length) for length in planes.shape) + b"t"
    dtype = b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR(K\x01" + shape + dtype
    array += b"\x89T" + struct.pack("<i", len(raw)) + raw + b"tb"
    numbers = b"(" + b"".join(b"K" + bytes([label]) for label in labels) + b"l"
    return b"\x80\x02}(U\x04data" + array + b"U\x06labels" + numbers + b"u."


def test_cifar10_batches_as_python2_wrote_them(tmp_path):
    planes = np.random.default_rng(4).integers(0, 256, (2, 3072), np.uint8)
    with tarfile.open(tmp_path / cifar10.ARCHIVE, "w:gz") as archive:
        for name in [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]:
            content = _python2_batch(planes, [3, 7])
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    arrays = cifar10.prepare(tmp_path, COLOUR)
    np.testing.assert_array_equal(arrays["test/inputs"].values[1, 2, 5], planes[1].reshape(3, 32, 32)[:, 2, 5])
    np.testing.assert_array_equal(arrays["test/labels"].values, [3, 7])


def test_cifar10_missing_batch(tmp_path):
    _write_cifar(tmp_path, np.random.default_rng(1), leave_out=("data_batch_3",))
    with pytest.raises(DataError, match="no member data_batch_3"):
        cifar10.prepare(tmp_path, COLOUR)


def test_cifar10_truncated(tmp_path):
    _write_cifar(tmp_path, np.random.default_rng(1))
    path = tmp_path / cifar10.ARCHIVE
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(DataError, match="truncated or damaged"):
        cifar10.prepare(tmp_path, COLOUR)


def test_cifar10_batches_cannot_run_code(tmp_path):
    _write_cifar(tmp_path, np.random.default_rng(1), payload=print)
    with pytest.raises(DataError, match=r"refuses .*print"):
        cifar10.prepare(tmp_path, COLOUR)


def test_cifar10_jpeg_damage(tmp_path):
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32), (10, 200, 30)).save(buffer, "JPEG")
    jpeg = np.frombuffer(buffer.getvalue(), np.uint8)
    content = {"labels": np.array([3, 4]), "is_test": np.array([False, True])}
    offsets = np.array([0, len(jpeg), 2 * len(jpeg)])
    path = tmp_path / cifar10_jpeg.ARCHIVE
    np.savez(path, jpeg_bytes=np.tile(jpeg, 2), offsets=offsets, **content)
    arrays = cifar10_jpeg.prepare(tmp_path, COLOUR)
    assert arrays["train/inputs"].values.shape == (1, 32, 32, 3)
    np.testing.assert_allclose(arrays["test/inputs"].values[0, 5, 5], (10, 200, 30), atol=4)
    np.savez(path, jpeg_bytes=np.zeros(2 * len(jpeg), np.uint8), offsets=offsets, **content)
    with pytest.raises(DataError, match="image 0 cannot be decoded"):
        cifar10_jpeg.prepare(tmp_path, COLOUR)
    np.savez(path, jpeg_bytes=jpeg, offsets=offsets, **content)
    with pytest.raises(DataError, match="do not fit"):
        cifar10_jpeg.prepare(tmp_path, COLOUR)
    np.savez(path, offsets=offsets, **content)
    with pytest.raises(DataError, match=r"no array \['jpeg_bytes'\]"):
        cifar10_jpeg.prepare(tmp_path, COLOUR)


def test_grey_and_shrunk_images_against_a_direct_sum():
    images = np.random.default_rng(2).integers(0, 256, (3, 32, 32, 3), np.uint8)
    found = convert(images, ColourOptions(grey=True, resolution=28))
    grey = images @ np.array([0.2989, 0.587, 0.114])
    # Independent definition: a triangle of half width 32/28 input pixels around each output centre, normalised.
    scale = 32 / 28
    centres = (np.arange(28) + 0.5) * scale
    weights = np.clip(1 - np.abs(np.arange(32) + 0.5 - centres[:, None]) / scale, 0, None)
    weights /= weights.sum(1, keepdims=True)
    expected = weights @ grey @ weights.T
    assert found.shape == (3, 28, 28, 1)
    np.testing.assert_allclose(found[..., 0], expected, atol=0.51)


def test_other_readings_of_grey_and_shrunk_images():
    images = np.random.default_rng(2).integers(0, 256, (3, 32, 32, 3), np.uint8)
    plain = convert(images, ColourOptions(grey=True, weights="equal", resolution=28, resizing="plain"))
    grey = images.mean(-1)
    # Independent definition: a triangle of half width one input pixel around each output centre.
    centres = (np.arange(28) + 0.5) * 32 / 28
    weights = np.clip(1 - np.abs(np.arange(32) + 0.5 - centres[:, None]), 0, None)
    np.testing.assert_allclose(weights.sum(1), 1)
    np.testing.assert_allclose(plain[..., 0], weights @ grey @ weights.T, atol=0.51)
    cropped = convert(images, ColourOptions(grey=True, weights="equal", resolution=28, resizing="crop"))
    np.testing.assert_allclose(cropped[..., 0], grey[:, 2:30, 2:30], atol=0.51)


def _tiff(image):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "TIFF")
    return buffer.getvalue()


def _write_nct(folder, generator, num=3, leave_out=None, extra=None):
    """Archives of ``num`` images a class; ``extra`` is written into both under its names, behind the top folder."""
    pixels = {}
    for name in nct_crc.ARCHIVES.values():
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.writestr(f"{name[:-4]}/", "")
            for label in reversed(nct_crc.CLASSES):
                for index in reversed(range(num)):
                    if label == leave_out:
                        continue
                    image = generator.integers(0, 256, (32, 32, 3), np.uint8)
                    archive.writestr(f"{name[:-4]}/{label}/{label}-{index}.tif", _tiff(image))
                    pixels[name, label, index] = image
            for member, content in (extra or {}).items():
                archive.writestr(f"{name[:-4]}/{member}", content)
    return pixels


@pytest.fixture
def small_originals(monkeypatch):
    """Made-up archives hold images of 32 x 32 pixels, not of 224 x 224."""
    monkeypatch.setattr(nct_crc, "EDGE", 32)


@pytest.mark.usefixtures("small_originals")
@pytest.mark.parametrize("num_per_class", [None, 2])
def test_nct_crc_is_ordered_and_averaged_over_areas(tmp_path, num_per_class):
    pixels = _write_nct(tmp_path, np.random.default_rng(3), extra={"ADI/Thumbs.db": b"x", "ADI/._ADI-0.tif": b"x"})
    arrays = nct_crc.prepare(tmp_path, NctCrcOptions(resolution=8, num_per_class=num_per_class))
    num = num_per_class or 3
    np.testing.assert_array_equal(arrays["train/labels"].values, np.repeat(np.arange(9), num))
    row = 4 * num + 1  # second image of class MUC
    expected = pixels[nct_crc.ARCHIVES["test"], "MUC", 1].reshape(8, 4, 8, 4, 3).mean((1, 3))
    np.testing.assert_allclose(arrays["test/inputs"].values[row], expected, atol=1.01)


@pytest.mark.usefixtures("small_originals")
def test_nct_crc_random_split_is_a_part_of_one_archive(tmp_path):
    pixels = _write_nct(tmp_path, np.random.default_rng(3))
    (tmp_path / nct_crc.ARCHIVES["test"]).unlink()  # not needed
    options = NctCrcOptions(resolution=32, num_per_class=None, sample=RandomSplit(num=24, num_validation=2, seed=5))
    arrays = nct_crc.prepare(tmp_path, options)
    names = {
        image.tobytes(): (label, index) for (name, label, index), image in pixels.items() if "100K" in name
    }  # fmt: skip
    found = {}
    for split, num in (("train", 22), ("validation", 2)):
        images, labels = arrays[f"{split}/inputs"].values, arrays[f"{split}/labels"].values
        found[split] = [names[image.tobytes()] for image in images]
        assert len(found[split]) == num
        assert [nct_crc.CLASSES[label] for label in labels] == [name for name, _ in found[split]]
    chosen = found["train"] + found["validation"]
    assert len(set(chosen)) == 24, "no image twice"
    assert chosen != sorted(chosen), "in random order"
    again = nct_crc.prepare(tmp_path, options)
    np.testing.assert_array_equal(again["train/inputs"].values, arrays["train/inputs"].values)
    other = options.model_copy(update={"sample": RandomSplit(num=24, num_validation=2, seed=6)})
    assert not np.array_equal(nct_crc.prepare(tmp_path, other)["train/labels"].values, arrays["train/labels"].values)


@pytest.mark.usefixtures("small_originals")
def test_nct_crc_fewer_images_than_the_split_asks_for(tmp_path):
    _write_nct(tmp_path, np.random.default_rng(3))
    options = NctCrcOptions(resolution=8, num_per_class=None, sample=RandomSplit(num=28, num_validation=3, seed=0))
    with pytest.raises(DataError, match=r"sample\.num 28 is more than the archive has \(27 images\)"):
        nct_crc.prepare(tmp_path, options)
    with pytest.raises(ValidationError, match="num_validation: expected fewer than num, 3, found 3"):
        RandomSplit(num=3, num_validation=3, seed=0)


@pytest.mark.usefixtures("small_originals")
def test_nct_crc_damage(tmp_path):
    options = NctCrcOptions(resolution=8, num_per_class=None)
    _write_nct(tmp_path, np.random.default_rng(3), leave_out="STR")
    with pytest.raises(DataError, match="no images in folder STR"):
        nct_crc.prepare(tmp_path, options)
    _write_nct(tmp_path, np.random.default_rng(3))
    with pytest.raises(DataError, match="num_per_class 4 is more than ADI has"):
        nct_crc.prepare(tmp_path, NctCrcOptions(resolution=8, num_per_class=4))
    path = tmp_path / nct_crc.ARCHIVES["train"]
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="truncated or damaged"):
        nct_crc.prepare(tmp_path, options)


@pytest.mark.usefixtures("small_originals")
@pytest.mark.parametrize(
    ("member", "content", "message"),
    [
        ("LYM/LYM-x.tif", b"no image", r"LYM/LYM-x\.tif is not an image of 32 x 32 pixels \(cannot identify"),
        ("LYM/LYM-x.tif", _tiff(np.zeros((32, 32, 3), np.uint8))[:-900], r"LYM/LYM-x\.tif is not an image"),
        ("LYM/LYM-x.tif", _tiff(np.zeros((16, 32, 3), np.uint8)), r"LYM/LYM-x\.tif .*its size is 32 x 16"),
        ("OTHER/a.tif", b"", r"images in folder OTHER, e\.g\. NCT-CRC-HE-100K/OTHER/a\.tif; expected the folders ADI"),
    ],
    ids=["no image", "truncated image", "other size", "no class"],
)
def test_nct_crc_odd_file_is_named(tmp_path, member, content, message):
    _write_nct(tmp_path, np.random.default_rng(3), extra={member: content})
    with pytest.raises(DataError, match=message):
        nct_crc.prepare(tmp_path, NctCrcOptions(resolution=8, num_per_class=None))


def _write_kather(folder, **change):
    generator = np.random.default_rng(6)
    names = ["NCT-CRC-HE-100K"] * 9 + ["CRC-VAL-HE-7K", "CRC-VAL-HE-7K-hard", "NCT-CRC-HE-100K-NONORM"]
    content = {
        "images_64": generator.integers(0, 256, (11, 64, 64, 3), np.uint8),
        "index_64": np.arange(11),
        "labels": np.array([*range(9), 4, 5, 6]),
        "split": np.array(names),
    }
    np.savez(folder / kather_crc.ARCHIVE, **(content | change))
    return content


def test_kather_crc_crops(tmp_path):
    images = _write_kather(tmp_path)["images_64"]
    arrays = kather_crc.prepare(tmp_path, KatherCrcOptions(edge=56, crops_per_side=3))
    np.testing.assert_array_equal(arrays["train/labels"].values, np.repeat(np.arange(9), 9))
    third = arrays["train/inputs"].values[2 * 9 : 3 * 9]
    np.testing.assert_array_equal(third[0], images[2, :56, :56])
    np.testing.assert_array_equal(third[5], images[2, 4:60, 8:])
    np.testing.assert_array_equal(arrays["validation/inputs"].values, images[9:10, 4:60, 4:60])
    np.testing.assert_array_equal(arrays["validation/labels"].values, [4])
    whole = kather_crc.prepare(tmp_path, KatherCrcOptions(edge=64, crops_per_side=1))
    np.testing.assert_array_equal(whole["train/inputs"].values, images[:9])
    with pytest.raises(ValidationError, match="crops of 63 pixels have 2 positions in 64, found 3"):
        KatherCrcOptions(edge=63, crops_per_side=3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"index_64": np.arange(10)}, "do not belong together"),
        ({"index_64": np.arange(11) + 5}, "do not belong together"),
        ({"images_64": np.zeros((11, 32, 32, 3), np.uint8)}, "do not belong together"),
        ({"labels": np.array([0, *range(8), 4, 5, 6])}, "no patch of NCT-CRC-HE-100K with label TUM"),
    ],
)
def test_kather_crc_damage(tmp_path, change, message):
    _write_kather(tmp_path, **change)
    with pytest.raises(DataError, match=message):
        kather_crc.prepare(tmp_path, KatherCrcOptions(edge=56, crops_per_side=3))


METHANE = """5
gdb 1\t157.7118\t157.70997\t157.70699\t0.\t13.21\t-0.3877\t0.1171\t0.5048\t35.3641\t0.044749\t-40.47893\t-40.476062\t\
-40.475117\t-40.498597\t6.469
C\t-0.0126981359\t 1.0858041578\t 0.0080009958\t-0.535689
H\t 0.002150416\t-0.0060313176\t 0.0019761204\t 0.133921
H\t 1.0117308433\t 1.4637511618\t 0.0002765748\t 0.133922
H\t-0.540815069\t 1.4475266138\t-8.766437*^-1\t 0.133923
H\t-0.5238136345\t 1.4379326443\t 0.9063972942\t 0.133923
1341.307\t1341.3284
C\tC
InChI=1S/CH4/h1H4\tInChI=1S/CH4/h1H4
"""


def _write_qm9(folder, texts):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in texts:
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    (folder / qm9.ARCHIVE).write_bytes(bz2.compress(buffer.getvalue()))


def test_qm9_molecules_are_ordered_and_padded(tmp_path):
    second = METHANE.replace("gdb 1", "gdb 2")
    _write_qm9(tmp_path, [("dsgdb9nsd_000002.xyz", second), ("dsgdb9nsd_000001.xyz", METHANE), ("readme.txt", "x")])
    arrays = qm9.prepare(tmp_path, Qm9Options(exclude_uncharacterized=False))
    assert arrays["all/positions"].values.shape == (2, 29, 3)
    np.testing.assert_array_equal(arrays["all/charges"].values[0, :6], [6, 1, 1, 1, 1, 0])
    np.testing.assert_allclose(arrays["all/positions"].values[0, 3], [-0.540815069, 1.4475266138, -0.8766437])
    # -40.47893 + 37.846772 + 4 x 0.500273 hartree
    np.testing.assert_allclose(arrays["all/U0_atomisation"].values, -17.172182, atol=1e-6)


def test_qm9_excludes_the_listed_molecules(tmp_path, monkeypatch):
    monkeypatch.setattr(qm9, "_NUM_EXCLUDED", 1)
    (tmp_path / qm9.EXCLUDED).write_text("header 1\n" * 9 + "  2  N  CO  1.0\n1 molecules\n".replace("1 mol", "mol"))
    second = METHANE.replace("gdb 1", "gdb 2")
    _write_qm9(tmp_path, [("dsgdb9nsd_000001.xyz", METHANE), ("dsgdb9nsd_000002.xyz", second)])
    arrays = qm9.prepare(tmp_path, Qm9Options(exclude_uncharacterized=True))
    assert len(arrays["all/num_atoms"].values) == 1
    (tmp_path / qm9.EXCLUDED).write_text("header\n" * 9)
    with pytest.raises(DataError, match="expected 1 molecules, found 0"):
        qm9.prepare(tmp_path, Qm9Options(exclude_uncharacterized=True))


@pytest.mark.parametrize(
    "change", [lambda t: "6" + t[1:], lambda t: t.replace("gdb 1", "gdb x"), lambda t: t.replace("C\t-", "Q\t-")]
)
def test_qm9_malformed_molecule_is_named(tmp_path, change):
    _write_qm9(tmp_path, [("dsgdb9nsd_000001.xyz", change(METHANE))])
    with pytest.raises(DataError, match=r"dsgdb9nsd_000001\.xyz is not in QM9's format"):
        qm9.prepare(tmp_path, Qm9Options(exclude_uncharacterized=False))


def test_qm9_truncated(tmp_path):
    _write_qm9(tmp_path, [(f"dsgdb9nsd_{k:06d}.xyz", METHANE.replace("gdb 1", f"gdb {k}")) for k in range(1, 9)])
    path = tmp_path / qm9.ARCHIVE
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match="truncated or damaged"):
        qm9.prepare(tmp_path, Qm9Options(exclude_uncharacterized=False))
