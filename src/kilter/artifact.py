"""The model that a comparison hands over, and its file.

A ``.kilter`` file is a zip of ``manifest.json`` (schema, decision, check sums),
``network.keras`` and the encoder, ``encoder.skops`` of a table. Nothing in it is a pickle, and
loading it executes nothing: Keras refuses code in its safe mode, skops refuses types that
are not on a short list.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import sys
import tempfile
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

import kilter.ensemble
import kilter.models  # noqa: F401 - Keras has to know their layers to open a network
from kilter._errors import ArgumentError, ArtifactError, OutputError, SourceError
from kilter._types import AnyFeatures, Images, Schema
from kilter.data import ENCODERS, Encoder, conform, schema_from_json, schema_to_json
from kilter.decide import Calibrator, Costs, Threshold

FORMAT = "kilter-model"
VERSION = 2
MANIFEST = "manifest.json"
NETWORK = "network.keras"
BATCH = 8192  # rows that are predicted at once, fewer of wide ones
BATCH_NUMBERS = 1 << 22  # of what is predicted at once
BLOCK = 1 << 17  # rows that are encoded at once, to bound the memory


@dataclass(frozen=True)
class Model:
    """A trained, calibrated classifier for tables, texts or images.

    Made by `kilter.compare` (``result.model``) and read back by `kilter.load`.

    Attributes
    ----------
    schema : Schema
        The columns that it takes and the classes that it knows.
    encoder : Encoder
        From columns to numbers.
    network : keras.Model
        From encoded rows to probabilities, averaged over seeds.
    calibrator : Calibrator
        Fitted on validation rows.
    decision : Threshold or Costs
        From calibrated probabilities to classes; fitted on validation rows.
    about : dict
        Remedy, measured scores and versions, for people.
    """

    schema: Schema
    encoder: Encoder
    network: keras.Model
    calibrator: Calibrator
    decision: Threshold | Costs
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def classes_(self) -> np.ndarray:
        """The labels, in the order of the columns of `predict_proba`."""
        return np.array(self.schema.classes)

    def predict_proba(self, data: Any) -> np.ndarray:
        """Predict calibrated probabilities.

        Parameters
        ----------
        data : path, dataframe, sequence of paths or array
            The columns of the training table, in any order; the target may be there. For images
            a folder, files, or pixels, and for texts also strings: see `kilter.data.conform`.

        Returns
        -------
        float array of shape (rows, classes)

        Raises
        ------
        SchemaError
            If a column is missing, unknown or of another type.
        SourceError
            If a file cannot be read.
        """
        return self._probabilities(conform(data, self.schema))

    def predict(self, data: Any) -> np.ndarray:
        """Predict labels by the decision that was tuned on validation rows.

        Returns
        -------
        array of shape (rows,), of the labels' own type
        """
        return self.decide(self.predict_proba(data))

    def decide(self, probabilities: np.ndarray) -> np.ndarray:
        """Turn calibrated probabilities (rows, classes) into labels (rows,)."""
        if not len(probabilities):
            return self.classes_[:0]
        return self.classes_[self.decision.apply(probabilities)]

    def predict_table(self, data: Any) -> pa.Table:
        """Predict labels and probabilities as a table.

        Returns
        -------
        pyarrow.Table
            ``prediction``, and ``p_CLASS`` for every class; for images ``file`` before them.
        """
        features = conform(data, self.schema)
        probabilities = self._probabilities(features)
        files = {"file": features.files} if isinstance(features, Images) else {}
        columns = {f"p_{label}": probabilities[:, c] for c, label in enumerate(self.schema.classes)}
        return pa.table({**files, "prediction": self.decide(probabilities), **columns})

    def _probabilities(self, features: AnyFeatures) -> np.ndarray:
        probabilities = np.empty((len(features), len(self.schema.classes)))
        for start in range(0, len(features), BLOCK):
            rows = np.arange(start, min(start + BLOCK, len(features)))
            probabilities[rows] = self._block(features.take(rows))
        return probabilities

    def _block(self, features: AnyFeatures) -> np.ndarray:
        encoded = self.encoder.transform(features)
        fitting = max(1, BATCH_NUMBERS // max(1, math.prod(self.encoder.shape)))
        raw = self.network.predict(encoded, batch_size=min(BATCH, fitting), verbose=0)
        return self.calibrator.apply(np.asarray(raw, np.float64))

    def save(self, path: str | Path) -> None:
        """Write the model to one file, ``.kilter`` by custom.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        try:
            members = {NETWORK: _network_bytes(self.network)}
            members[self.encoder.FILE] = self.encoder.dumps()
            manifest = json.dumps(self._manifest(members), indent=2)
            unfinished = Path(path).with_name(f".{Path(path).name}.tmp")
            with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr(MANIFEST, manifest)
                for name, content in members.items():
                    archive.writestr(name, content)
            os.replace(unfinished, path)
        except OSError as error:
            raise OutputError(f"cannot write the model to `{path}`: {error.strerror}.") from error

    def _manifest(self, members: dict[str, bytes]) -> dict[str, Any]:
        kind = "costs" if isinstance(self.decision, Costs) else "threshold"
        return {
            "format": FORMAT,
            "version": VERSION,
            "schema": schema_to_json(self.schema),
            "calibrator": self.calibrator.to_json(),
            "decision": {"kind": kind, **self.decision.to_json()},
            "about": self.about,
            "sha256": {name: _sha256(content) for name, content in members.items()},
        }


def load(path: str | Path) -> Model:
    """Load a model that `kilter.compare` wrote.

    Nothing in the file is executed, so a file from elsewhere is safe to open.

    Raises
    ------
    SourceError
        If there is no such file or it cannot be read.
    ArtifactError
        If it is not a kilter model, was cut off, or was changed.

    Examples
    --------
    >>> import kilter
    >>> kilter.load("no-such.kilter")
    Traceback (most recent call last):
    ...
    kilter._errors.SourceError: there is no model file `no-such.kilter`.
    """
    content = _read_bytes(Path(path))
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    # Changed flags make zipfile ask for a password or an unknown method: a RuntimeError.
    except (zipfile.BadZipFile, EOFError, zlib.error, OSError, RuntimeError, ValueError) as error:
        raise _damaged(path, "it is cut off or not a kilter model") from error
    manifest = _checked_manifest(members, path)
    network = _open_network(members, path)
    try:
        return _assemble(manifest, members, network)
    except Exception as error:  # Keras and skops refuse parts in too many ways to list
        raise _damaged(path, "its manifest does not fit its parts") from error


WRITERS = {".csv": pyarrow.csv.write_csv, ".parquet": pyarrow.parquet.write_table}


def check_predictions_path(path: Path) -> None:
    """Raise unless predictions can be written to a file of this name."""
    if path.suffix.lower() not in WRITERS:
        raise ArgumentError(
            f"`out` must end in {' or '.join(WRITERS)}; got `{path}`. Give it such a name."
        )
    if path.is_dir() or not path.parent.is_dir():
        raise OutputError(
            f"`out` must be a file in a folder that is there; got `{path}`. Make its folder first, "
            "or choose another name."
        )


def write_predictions(predictions: pa.Table, path: Path | None) -> Path | None:
    """Write predictions as Parquet or CSV, by the file's name; to the screen for None."""
    if path is None:
        pyarrow.csv.write_csv(predictions, sys.stdout.buffer)
        return None
    check_predictions_path(path)
    try:
        WRITERS[path.suffix.lower()](predictions, path)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        raise OutputError(
            f"`out` cannot be written: {path}: {why}. Choose another place."
        ) from error
    return path


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _damaged(path: str | Path, why: str) -> ArtifactError:
    return ArtifactError(
        f"`{path}` cannot be loaded: {why}. Copy it again, or make it again with `kilter compare`."
    )


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise SourceError(f"there is no model file `{path}`.") from error
    except OSError as error:
        raise SourceError(f"cannot read the model file `{path}`: {error.strerror}.") from error


def _checked_manifest(members: dict[str, bytes], path: str | Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads(members[MANIFEST])
        sums, version = manifest["sha256"], manifest["version"]
        known = manifest["format"] == FORMAT
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path, "it has no kilter manifest") from error
    if not known or version != VERSION:
        raise _damaged(path, f"its format is version {version}, and this kilter reads {VERSION}")
    actual = {name: _sha256(content) for name, content in members.items() if name != MANIFEST}
    if actual != sums:
        raise _damaged(path, "its parts were changed after it was written")
    return manifest


def _open_network(members: dict[str, bytes], path: str | Path) -> keras.Model:
    if NETWORK not in members:
        raise _damaged(path, "its manifest does not fit its parts")
    try:
        return _network(members[NETWORK])
    except Exception as error:  # Keras refuses a network in too many ways to list
        raise ArtifactError(
            f"`{path}` cannot be loaded: Keras does not open its network. If that has layers of "
            "your own, register them with `keras.saving.register_keras_serializable` before; a "
            "Lambda layer is code, which a model file must not hold."
        ) from error


def _assemble(manifest: dict[str, Any], members: dict[str, bytes], network: keras.Model) -> Model:
    decision = dict(manifest["decision"])
    kinds: dict[str, type[Costs] | type[Threshold]] = {"costs": Costs, "threshold": Threshold}
    kind = kinds[decision.pop("kind")]
    schema = schema_from_json(manifest["schema"])
    encoder = ENCODERS[schema.kind]
    if set(members) != {MANIFEST, NETWORK, encoder.FILE}:
        raise ValueError(f"{sorted(members)}")
    model = Model(
        schema,
        encoder.loads(members[encoder.FILE]),
        network,
        Calibrator.from_json(manifest["calibrator"]),
        kind.from_json(decision),
        manifest["about"],
    )
    _require_fit(model)
    return model


def _require_fit(model: Model) -> None:
    """Raise unless the parts have as many classes and columns as each other."""
    n_classes = len(model.schema.classes)
    model.decide(model.calibrator.apply(np.eye(n_classes)))
    shapes = model.network.input_shape[1:], model.network.output_shape[1:]
    if shapes != (model.encoder.shape, (n_classes,)):
        raise ValueError(f"rows of {model.encoder.shape}, {n_classes} classes, {shapes}")
    model.encoder.require_fit(model.schema)


def _network_bytes(network: keras.Model) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / NETWORK
        network.save(path)
        return path.read_bytes()


def _network(content: bytes) -> keras.Model:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / NETWORK
        path.write_bytes(content)
        return keras.saving.load_model(path, compile=False, safe_mode=True)
