"""Where the data sets lie: names, hashes, and how a file is found or had.

A file is looked for in the folder named by SEIKO_DATA, then in this user's cache, then it is downloaded from a public
repository at a fixed commit. Every file is checked against a SHA-256 written here before it is used, once a process.
Nothing is unpickled. Which numbers are read from a file is the business of the module that uses it.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import platformdirs
from numpy.typing import NDArray

__all__ = ["DataCorrupted", "DataUnavailable", "Dataset", "Remote", "fetch", "list_datasets", "locate"]

VARIABLE = "SEIKO_DATA"


class DataUnavailable(OSError):
    """A data file is neither on this machine nor could it be downloaded."""


class DataCorrupted(ValueError):
    """A data file is there but is not the file that was expected."""


@dataclass(frozen=True, kw_only=True)
class Remote:
    """One public file at a fixed commit, with the hash that it must have."""

    url: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """One data file.

    Args:
        name: Name for `fetch` and the command line.
        file: File name in SEIKO_DATA and in the cache.
        sha256: Accepted hashes: the file of the collection, then the one that a download gives if its bytes differ.
        size: Bytes of the file of the collection.
        description: What it holds and where it is from.
        remotes: Public files to download; empty if it cannot be downloaded automatically.
        derive: Makes the file's bytes from the downloaded files; None if the one download is the file.
    """

    name: str
    file: str
    sha256: tuple[str, ...]
    size: int
    description: str
    remotes: tuple[Remote, ...] = ()
    derive: Callable[[Sequence[Path]], bytes] | None = None


def _github(repository: str, commit: str, path: str, sha256: str) -> Remote:
    return Remote(url=f"https://raw.githubusercontent.com/{repository}/{commit}/{path}", sha256=sha256)


def _pack(arrays: dict[str, NDArray[np.generic]]) -> bytes:
    """Return an npz archive whose bytes depend on the arrays alone (stored, fixed dates), so that it can be hashed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3
            part = io.BytesIO()
            np.lib.format.write_array(part, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
            archive.writestr(entry, part.getvalue())
    return buffer.getvalue()


def _derive_tfbind8(files: Sequence[Path]) -> bytes:
    """Return the table of 65,536 labels from design-bench's rows: both strands, palindromes twice, no conflicts."""
    x, y = (np.load(file, allow_pickle=False) for file in files)
    index = x.astype(np.int64) @ (4 ** np.arange(7, -1, -1))
    table = np.full(4**8, np.nan, dtype="<f4")
    table[index] = y.reshape(-1)
    if np.isnan(table).any() or not np.array_equal(table[index], y.reshape(-1)):
        raise DataCorrupted("the rows of TF Bind 8 do not give one label to each of the 65,536 sequences")
    return _pack({"y_table": table})


_BOOTGEN = ("kaist-silab/bootgen", "2cbe5eeb1502e3e04bb410789bc3b25572ebe119")
_DDVAE = ("insilicomedicine/DD-VAE", "13498d098bae2c8177abec61ab80d8b618d274f3")
_CBAS = ("dhbrookes/CbAS", "725805a2bd889084a2a9e9032d24d409fe4d7e61")
_SEIKO = ("zhaoyl18/SEIKO", "947f9ade0c6bfa4bf5edb9c1efe4395edb186c6e")
_VAE = ("lijie2020/vae", "6aa58aba724f46dba967fc7058945941d171d433")
_TFBIND8 = "design_bench_data/tf_bind_8-SIX6_REF_R1/tf_bind_8"
_ZINC_RAW = "50b6b95dbdd4547344602c352b6e770daf8bda801fcd670fc487334d04a1ab36"
_MOSES_RAW = "45f00d456382f7cc07a425299e6b0ced3c8411c7a643014070c2ab70ce710e07"
_SCAFFOLDS_RAW = "9f175e1b1fb01764c06bb1427faf5aab6c3c0b354a6f728862e666189d658016"
_GFP_FASTA = "2559ee1afe9d0f41e03ea75db96448a34178c2dd597c78e08f01b1ee4ab5e248"
_AESTHETIC = "21dd590f3ccdc646f0d53120778b296013b096a035a2718c9cb0d511bff0f1e0"
_MNIST_X = "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
_MNIST_Y = "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"

_DATASETS = (
    Dataset(
        name="tfbind8",
        file="tfbind8_six6_ref_r1.npz",
        sha256=(
            "d1bc79b01dd12bd5288009ef29bebc4589996ea629139ea864439408d23f670e",
            "d65c518f484cda5fe3d51104479740ff6ff1a052d81e45b2d78c2ba4a4fce816",
        ),
        size=744_099,
        description="TF Bind 8, SIX6_REF_R1: all DNA 8-mers, E-scores in [0, 1] (Barrera et al. 2016; Design-Bench)",
        remotes=(
            _github(
                *_BOOTGEN,
                f"{_TFBIND8}-x-0.npy",
                "8957a728704d2e6c5dbba921dd9e16cbd76797489b081c5dc7f39ca23582d95d",
            ),
            _github(
                *_BOOTGEN,
                f"{_TFBIND8}-y-0.npy",
                "a61dd97796a4173d3a2a3d016db44e5d42e1f1d6a39d9f1ad2465d2c6b94fcb7",
            ),
        ),
        derive=_derive_tfbind8,
    ),
    Dataset(
        name="gfp",
        file="gfp_sarkisyan2016.npz",
        sha256=("5a310198937652c599a4c9e6c22e7c60aeb060712018f4aa8cde7860ff0056a6",),
        size=668_004,
        description="GFP: 51,715 stop-free proteins with log10 brightness (Sarkisyan et al. 2016, CC BY 4.0)",
    ),
    Dataset(
        name="gfp-genotypes",
        file="gfp_amino_acid_genotypes_to_brightness.tsv.gz",
        sha256=("dbbffaa570236ff3ef8019971a20d7e3ee188f215ea64ef676700d375bfcc1ad",),
        size=792_863,
        description="GFP: 54,025 amino acid genotypes with brightness (Sarkisyan et al. 2016, CC BY 4.0)",
    ),
    Dataset(
        name="gfp-reference",
        file="gfp_avGFP_reference_sequence.fa",
        sha256=(_GFP_FASTA,),
        size=740,
        description="GFP: the nucleotide sequence of avGFP (Sarkisyan et al. 2016)",
        remotes=(_github(*_CBAS, "data/avGFP_reference_sequence.fa", _GFP_FASTA),),
    ),
    Dataset(
        name="zinc250k",
        file="zinc250k_smiles.txt.gz",
        sha256=("1a3f9dd30096377f2a5bf48fa546f25d3c1f0d60e987158d297f93e08c15f7c3", _ZINC_RAW),
        size=2_860_690,
        description="ZINC250k: 249,456 SMILES, one a line (Sterling & Irwin 2015; Gomez-Bombarelli et al. 2018)",
        remotes=(_github(*_DDVAE, "data/zinc/250k_rndm_zinc_drugs_clean.smi.gz", _ZINC_RAW),),
    ),
    Dataset(
        name="zinc250k-properties",
        file="zinc250k_props_rdkit.npz",
        sha256=("4404df06257c79929844c9e443725063191d38245ecc82ad132186a0bfeb7fbb",),
        size=2_587_563,
        description="ZINC250k: logP, QED, SA score by RDKit and the usual split, rows as in zinc250k",
    ),
    Dataset(
        name="moses-test",
        file="moses_test_smiles.txt.gz",
        sha256=("d4f36657d82af7f576ee9886119778c53ea0cc97121e25edfdd7d738bfdebe2f", _MOSES_RAW),
        size=1_367_547,
        description="MOSES: 176,074 test SMILES (Polykovskiy et al. 2020, MIT)",
        remotes=(_github(*_DDVAE, "data/moses/test.csv.gz", _MOSES_RAW),),
    ),
    Dataset(
        name="moses-test-scaffolds",
        file="moses_test_scaffolds_smiles.txt.gz",
        sha256=("8a71640c527a1c1cebfdc3459b6e53fc3e8843b65ae5dc1ce8acd7e63096f841", _SCAFFOLDS_RAW),
        size=1_274_076,
        description="MOSES: 176,225 scaffold-test SMILES (Polykovskiy et al. 2020, MIT)",
        remotes=(_github(*_DDVAE, "data/moses/test_scaffolds.csv.gz", _SCAFFOLDS_RAW),),
    ),
    Dataset(
        name="qm9",
        file="qm9_smiles.txt.gz",
        sha256=("aa378162cfa5ac2dd91b3bb4b96274f55dd460f875f1f928c484bdce0fe889c0",),
        size=347_004,
        description="QM9: 133,595 SMILES without stereo (Ramakrishnan et al. 2014, CC0)",
    ),
    Dataset(
        name="qm9-gap",
        file="qm9_gap_subset.csv.gz",
        sha256=("aaa4d4ca064602fb35d104f820def097ea2deb3c00d220112304bf8211a18fda",),
        size=169_469,
        description="QM9: HOMO-LUMO gap in eV of 26,016 molecules, a biased subset of low trust",
    ),
    Dataset(
        name="utr",
        file="utr_mrl_280k.npz",
        sha256=("faaa9635ddee40cf047d3ded51b3e36662bb243721ef8cf813d27f43559df7e2",),
        size=4_571_410,
        description="UTR: mean ribosome load of 280,000 5' untranslated regions of 50 bases (Sample et al. 2019)",
    ),
    Dataset(
        name="laion-aesthetic",
        file="sac+logos+ava1-l14-linearMSE.pth",
        sha256=(_AESTHETIC,),
        size=3_714_759,
        description="LAION aesthetic head over CLIP ViT-L/14 embeddings (Schuhmann et al. 2022)",
        remotes=(_github(*_SEIKO, "assets/sac%2Blogos%2Bava1-l14-linearMSE.pth", _AESTHETIC),),
    ),
    Dataset(
        name="mnist-test-images",
        file="mnist_t10k-images-idx3-ubyte.gz",
        sha256=(_MNIST_X,),
        size=1_648_877,
        description="MNIST: the 10,000 test images (LeCun & Cortes)",
        remotes=(_github(*_VAE, "data/MNIST/MNIST/raw/t10k-images-idx3-ubyte.gz", _MNIST_X),),
    ),
    Dataset(
        name="mnist-test-labels",
        file="mnist_t10k-labels-idx1-ubyte.gz",
        sha256=(_MNIST_Y,),
        size=4_542,
        description="MNIST: the labels of the test images (LeCun & Cortes)",
        remotes=(_github(*_VAE, "data/MNIST/MNIST/raw/t10k-labels-idx1-ubyte.gz", _MNIST_Y),),
    ),
    Dataset(
        name="mnist-train",
        file="mnist_train_60k.npz",
        sha256=("c5bdf38163b8896f3abca0b0fefff9a4043e9fac160a22697e3e4c66b47dbc26",),
        size=9_824_793,
        description="MNIST: 60,000 training images, exact but for pixels of value 1 (LeCun & Cortes)",
    ),
    Dataset(
        name="cifar10-test",
        file="cifar10_test_jpeg.npz",
        sha256=("98ef77b4168ae34526faca1c77ff1156ba05f377e458666f11d29b921cbbc89d",),
        size=9_301_070,
        description="CIFAR-10: 10,000 test images as JPEG, lossy (Krizhevsky 2009)",
    ),
)

_verified: set[tuple[Path, int, int]] = set()


def list_datasets() -> list[Dataset]:
    """Return all data sets that are known by name."""
    return list(_DATASETS)


def locate(name: str) -> Path | None:
    """Return where the file lies on this machine, SEIKO_DATA first, without checking its hash; None if nowhere."""
    dataset = _dataset(name)
    return next((path for path in _places(dataset) if path.is_file()), None)


def fetch(name: str) -> Path:
    """Return the path of a data file, checked against its SHA-256; download it if it is not on this machine.

    Args:
        name: A name from `list_datasets`.

    Returns:
        Path in SEIKO_DATA if the file is there, else in the cache.

    Raises:
        KeyError: If there is no data set of this name.
        DataUnavailable: If the file is nowhere and cannot be downloaded; says where it was looked for.
        DataCorrupted: If the file or a download has another hash than expected.
    """
    dataset = _dataset(name)
    path = locate(name) or _download(dataset)
    _verify(path, dataset.sha256, name)
    return path


def _dataset(name: str) -> Dataset:
    for dataset in _DATASETS:
        if dataset.name == name:
            return dataset
    raise KeyError(f"no data set {name!r}; there are {', '.join(dataset.name for dataset in _DATASETS)}")


def _cache() -> Path:
    return Path(platformdirs.user_cache_dir("seiko")) / "data"


def _places(dataset: Dataset) -> list[Path]:
    folders = [Path(folder).expanduser() for folder in [os.environ.get(VARIABLE, "")] if folder]
    return [folder / dataset.file for folder in [*folders, _cache()]]


def _verify(path: Path, expected: tuple[str, ...], name: str) -> None:
    status = path.stat()
    mark = (path.resolve(), status.st_mtime_ns, status.st_size)
    if mark in _verified:
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found not in expected:
        raise DataCorrupted(
            f"{path} has SHA-256 {found}, expected {' or '.join(expected)}; "
            f"delete the file and run `seiko data fetch {name}`, or point {VARIABLE} at a good copy"
        )
    _verified.add(mark)


def _download(dataset: Dataset) -> Path:
    looked = ", ".join(str(path) for path in _places(dataset))
    way_out = f"set {VARIABLE} to a folder that holds {dataset.file}"
    if not dataset.remotes:
        raise DataUnavailable(
            f"data set {dataset.name!r} is not downloadable automatically and was not found (looked for {looked}); "
            f"{way_out}"
        )
    target = _cache() / dataset.file
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            parts = [_retrieve(remote, Path(folder)) for remote in dataset.remotes]
            result = Path(folder) / "result"
            result.write_bytes(dataset.derive(parts) if dataset.derive else parts[0].read_bytes())
            _verify(result, dataset.sha256, dataset.name)
            os.replace(result, target)
    except OSError as error:
        raise DataUnavailable(
            f"data set {dataset.name!r} was not found (looked for {looked}) and could not be downloaded: {error}; "
            f"{way_out} or run `seiko data fetch {dataset.name}` where there is a network"
        ) from error
    return target


def _retrieve(remote: Remote, folder: Path) -> Path:
    """Download one file into the folder; pooch refuses it if its hash is not the pinned one."""
    import pooch

    part = remote.sha256[:16]
    try:
        pooch.retrieve(
            remote.url,
            known_hash=f"sha256:{remote.sha256}",
            fname=part,
            path=folder,
            downloader=pooch.HTTPDownloader(timeout=60),
        )
    except ValueError as error:
        raise DataCorrupted(
            f"{remote.url} is not the file expected, SHA-256 {remote.sha256}: {error}; "
            f"set {VARIABLE} to a folder with a good copy"
        ) from error
    return folder / part
